module github.com/shieldx/shieldx/bench/admission/peers/floor

go 1.26.0
