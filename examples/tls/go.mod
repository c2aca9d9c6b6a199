module burrow.example/tls

go 1.21
