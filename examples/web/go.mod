module burrow.example/web

go 1.19
