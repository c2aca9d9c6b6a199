module burrow.example/memcached

go 1.21
