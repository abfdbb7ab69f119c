package guard

// Attributes is for the tests outside of the package.
var Attributes = attributes
