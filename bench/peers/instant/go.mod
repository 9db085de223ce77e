module github.com/shieldx/shieldx/bench/peers/instant

go 1.26.0
