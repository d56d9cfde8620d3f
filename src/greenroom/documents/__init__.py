"""Documents: photos of passports and of what permits to work, taken in as if each were hostile."""
