{{/* The claim into which the page is written. */}}
{{- define "cephbackup.reportClaim" -}}
{{- default (printf "%s-report" (include "cephbackup.fullname" .)) .Values.report.volume.existingClaim -}}
{{- end -}}

{{/* What serves the page has nothing of the rest: not its name, its account or its network. */}}
{{- define "cephbackup.pageName" -}}
{{- printf "%s-page" (include "cephbackup.fullname" .) -}}
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
