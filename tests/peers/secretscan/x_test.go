package secretscan

import _ "github.com/zricethezav/gitleaks/v8/detect"
