package checkpoint

// Pack makes the bytes of a checkpoint.
var Pack = pack
