{{/* The options of `cephbackup run` as environment: other commands in the same pod understand them, too. */}}
{{- define "cephbackup.backupEnv" -}}
{{- $v := .Values -}}
- name: CEPHBACKUP_CONCURRENCY
  value: {{ $v.concurrency | quote }}
- name: CEPHBACKUP_MAPPER
  value: {{ $v.mapper | quote }}
- name: CEPHBACKUP_CEPHFS_CLIENT
  value: {{ $v.cephfsClient | quote }}
{{- if $v.keepBase }}
- name: CEPHBACKUP_KEEP_BASE
  value: 'true'
{{- end }}
- name: CEPHBACKUP_FSCK
  value: {{ $v.fsck | quote }}
{{- if $v.hooks.enabled }}
- name: CEPHBACKUP_HOOKS
  value: 'true'
{{- end }}
{{- if $v.allowEmpty }}
- name: CEPHBACKUP_ALLOW_EMPTY
  value: 'true'
{{- end }}
{{- with $v.volumeTimeout }}
- name: CEPHBACKUP_VOLUME_TIMEOUT
  value: {{ . | quote }}
{{- end }}
{{- with $v.selection.namespaces }}
- name: CEPHBACKUP_NAMESPACE
  value: {{ join "," . | quote }}
{{- end }}
{{- with $v.selection.excludeNamespaces }}
- name: CEPHBACKUP_EXCLUDE_NAMESPACE
  value: {{ join "," . | quote }}
{{- end }}
{{- with $v.selection.storageClasses }}
- name: CEPHBACKUP_STORAGE_CLASS
  value: {{ join "," . | quote }}
{{- end }}
{{- with $v.selection.selector }}
- name: CEPHBACKUP_SELECTOR
  value: {{ . | quote }}
{{- end }}
{{- with $v.selection.minAge }}
- name: CEPHBACKUP_MIN_AGE
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* With the device plugin's resource, where one is named. */}}
{{- define "cephbackup.backupResources" -}}
{{- $resources := deepCopy .Values.resources -}}
{{- $needs := include "cephbackup.needs" . | fromYaml -}}
{{- if and $needs.fuse .Values.fuse.deviceResource -}}
{{- $limits := merge (dict .Values.fuse.deviceResource "1") (default dict $resources.limits) -}}
{{- $resources = set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
