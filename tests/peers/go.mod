module github.com/normswap/normswap/tests/peers

go 1.26.0
