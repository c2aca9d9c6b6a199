module burrow/tests

go 1.19
