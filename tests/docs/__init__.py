"""The pages under docs/, run: what they tell people to type is typed, what they show is compared."""
