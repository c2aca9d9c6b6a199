module burrow/bench

go 1.19

require burrow/tests v0.0.0

replace burrow/tests => ../tests
