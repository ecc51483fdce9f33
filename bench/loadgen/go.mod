module millwright/loadgen

go 1.22
