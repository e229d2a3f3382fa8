package core

import "github.com/sluiceio/sluice/api"

// Todo are the features that no engine has yet.
const Todo = api.FeatZeroCopy
