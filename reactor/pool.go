package reactor

// mailbox is what passes between the loop and the workers of one connection.
type mailbox struct{}
