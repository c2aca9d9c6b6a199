module burrow.example/echo

go 1.21
