"""What to do about the difference between what is decided and what is: ordered actions, and the guard on them."""
