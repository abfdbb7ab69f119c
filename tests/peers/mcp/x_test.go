package mcp

import _ "github.com/modelcontextprotocol/go-sdk/mcp"

import _ "github.com/grantd/grantd/tests/harness"
