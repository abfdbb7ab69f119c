// Package gateways runs real gateways, such as nginx, with the files of deploy/gateways
// in front of an API, against /forward-auth of grantd. It has the cases, and what they
// need around a gateway; its tests start the gateways. It checks no rules of
// /forward-auth that a gateway cannot change: package server/gateway does.
package gateways
