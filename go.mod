module github.com/normswap/normswap

go 1.26.0
