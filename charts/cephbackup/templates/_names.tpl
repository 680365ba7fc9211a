{{/*
A name of at most `max` characters: what is too long is cut and gets a hash, so that two names stay two.
Takes a list: the name, max.
*/}}
{{- define "cephbackup.bounded" -}}
{{- $name := index . 0 -}}
{{- $max := index . 1 | int -}}
{{- if gt (len $name) $max -}}
{{- printf "%s-%s" ($name | trunc (int (sub $max 9)) | trimSuffix "-" | trimSuffix ".") ($name | sha256sum | trunc 8) -}}
{{- else -}}
{{- $name | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* 40 characters leave room for every suffix below, within the 52 that a CronJob's name may have. */}}
{{- define "cephbackup.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- include "cephbackup.bounded" (list ($full | replace "." "-") 40) -}}
{{- end -}}

{{/* ClusterRoles are seen from every namespace: two releases of one name must not meet. Takes a list: root, suffix. */}}
{{- define "cephbackup.clusterName" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s" $root.Release.Namespace (include "cephbackup.fullname" $root) -}}
{{- printf "%s%s" (include "cephbackup.bounded" (list $name 40)) (index . 1) -}}
{{- end -}}

{{- define "cephbackup.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "cephbackup.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Of the Jobs that restore. */}}
{{- define "cephbackup.restoreAccount" -}}
{{- printf "%s-restore" (include "cephbackup.fullname" .) -}}
{{- end -}}

{{- define "cephbackup.repositorySecret" -}}
{{- default (printf "%s-repository" (include "cephbackup.fullname" .)) .Values.repository.existingSecret -}}
{{- end -}}

{{- define "cephbackup.cephSecret" -}}
{{- default (printf "%s-ceph" (include "cephbackup.fullname" .)) .Values.ceph.existingSecret -}}
{{- end -}}

{{- define "cephbackup.clustersConfigMap" -}}
{{- if .Values.ceph.clusters -}}
{{- printf "%s-clusters" (include "cephbackup.fullname" .) -}}
{{- else -}}
{{- .Values.ceph.clustersConfigMap -}}
{{- end -}}
{{- end -}}

{{- define "cephbackup.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "cephbackup.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "cephbackup.labels" -}}
{{- include "cephbackup.labelsOf" (dict "root" .) -}}
{{- end -}}

{{/*
A key that the chart has itself is the chart's: no mapping has one key twice.
Takes a dict: root, component (optional), more (labels; optional).
*/}}
{{- define "cephbackup.labelsOf" -}}
{{- $component := .component -}}
{{- $more := .more -}}
{{- with .root -}}
{{- $own := include "cephbackup.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- if $component -}}{{- $_ := set $own "app.kubernetes.io/component" $component -}}{{- end -}}
{{- merge $own (default dict $more) .Values.commonLabels | toYaml -}}
{{- end -}}
{{- end -}}

{{/* Annotations of a service account, of which clouds read who it is to them. */}}
{{- define "cephbackup.accountAnnotations" -}}
{{- with . }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
