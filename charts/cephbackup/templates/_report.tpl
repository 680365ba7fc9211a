{{/* The claim into which the page is written. */}}
{{- define "cephbackup.reportClaim" -}}
{{- default (printf "%s-report" (include "cephbackup.fullname" .)) .Values.report.volume.existingClaim -}}
{{- end -}}

{{/* What serves the page has nothing of the rest: not its name, its account or its network. */}}
{{/* A Service's name begins with a letter, that of a release need not. */}}
{{- define "cephbackup.pageName" -}}
{{- $name := include "cephbackup.fullname" . -}}
{{- printf (ternary "page-%s" "%s-page" (regexMatch "^[0-9]" $name)) $name -}}
{{- end -}}

{{- define "cephbackup.pageLabels" -}}
{{- include "cephbackup.selectorLabels" . }}
app.kubernetes.io/component: page
{{- end -}}

{{- define "cephbackup.pageImage" -}}
{{- $image := .Values.report.serve.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository $image.tag -}}
{{- end -}}
{{- end -}}
