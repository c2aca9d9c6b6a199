module burrow.example/hello

go 1.19
