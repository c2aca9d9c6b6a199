module burrow.example/proxy

go 1.21
