module home-async.example/race

go 1.24
