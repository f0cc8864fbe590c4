//go:build dev

package main

// devBuild allows the options under --dev.
const devBuild = true
