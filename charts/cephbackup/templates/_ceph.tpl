{{/* /etc/ceph and ceph-csi's list of clusters, of the backup's pod. */}}

{{/* Whether /etc/ceph is put together from a key and a list of monitors when the pod starts. */}}
{{- define "cephbackup.assembled" -}}
{{- if .Values.ceph.keySecret.name }}true{{ end -}}
{{- end -}}

{{- define "cephbackup.cephEnv" -}}
- name: CEPHBACKUP_CEPH_KEYRING
  value: /etc/ceph/keyring
{{- with .Values.ceph.user }}
- name: CEPHBACKUP_CEPH_USER
  value: {{ . | quote }}
{{- end }}
{{- if .Values.ceph.usersSecret }}
- name: CEPHBACKUP_CEPH_USERS
  value: /etc/ceph-users/users.json
{{- end }}
{{ include "cephbackup.clustersEnv" . }}
{{- end -}}

{{/* ceph-csi's list, where there is one. */}}
{{- define "cephbackup.clustersEnv" -}}
{{- if include "cephbackup.clustersConfigMap" . -}}
- name: CEPHBACKUP_CEPH_CLUSTERS
  value: /etc/ceph-csi/config.json
{{- end -}}
{{- end -}}

{{- define "cephbackup.clustersMount" -}}
{{- if include "cephbackup.clustersConfigMap" . -}}
- name: clusters
  mountPath: /etc/ceph-csi
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "cephbackup.clustersVolume" -}}
{{- with include "cephbackup.clustersConfigMap" . -}}
- name: clusters
  configMap:
    name: {{ . | quote }}
    items:
      - key: {{ $.Values.ceph.clustersKey }}
        path: config.json
{{- end -}}
{{- end -}}

{{- define "cephbackup.cephMounts" -}}
- name: ceph
  mountPath: /etc/ceph
  readOnly: true
{{- if .Values.ceph.usersSecret }}
- name: ceph-users
  mountPath: /etc/ceph-users
  readOnly: true
{{- end }}
{{ include "cephbackup.clustersMount" . }}
{{- end -}}

{{- define "cephbackup.cephVolumes" -}}
- name: ceph
{{- if include "cephbackup.assembled" . }}
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- if .Values.ceph.conf }}
- name: conf
  secret:
    secretName: {{ include "cephbackup.cephSecret" . | quote }}
    defaultMode: 256 # 0400
{{- end }}
{{- with .Values.ceph.monitorsConfigMap }}{{ if .name }}
- name: monitors
  configMap:
    name: {{ .name | quote }}
    items:
      - key: {{ .key }}
        path: monitors
{{- end }}{{ end }}
{{- else }}
  secret:
    secretName: {{ include "cephbackup.cephSecret" . | quote }}
    defaultMode: 256 # 0400
{{- end }}
{{- with .Values.ceph.usersSecret }}
- name: ceph-users
  secret:
    secretName: {{ . | quote }}
    defaultMode: 256 # 0400
{{- end }}
{{ include "cephbackup.clustersVolume" . }}
{{- end -}}

{{/*
Writes /etc/ceph as Ceph's programs want it, from Rook's or ceph-csi's own objects. The script is static text; what
comes from the cluster reaches it as variables and files.
*/}}
{{- define "cephbackup.cephContainer" -}}
- name: ceph-config
  image: {{ include "cephbackup.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command:
    - /bin/sh
    - -ec
    - |
      umask 077
      printf '[client.%s]\nkey = %s\n' "$CEPH_USER" "$CEPH_KEY" >/etc/ceph/keyring
      {{- if .Values.ceph.monitorsConfigMap.name }}
      # a=10.0.0.1:6789,b=10.0.0.2:6789
      monitors=$(sed 's/[A-Za-z0-9_-]*=//g' /etc/monitors/monitors)
      printf '[global]\nmon_host = %s\n' "$monitors" >/etc/ceph/ceph.conf
      {{- else if .Values.ceph.conf }}
      cat /etc/ceph-conf/ceph.conf >/etc/ceph/ceph.conf
      {{- end }}
  env:
    - name: CEPH_USER
      value: {{ default "admin" .Values.ceph.user | quote }}
    - name: CEPH_KEY
      valueFrom:
        secretKeyRef:
          name: {{ .Values.ceph.keySecret.name | quote }}
          key: {{ .Values.ceph.keySecret.key }}
  securityContext:
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - name: ceph
      mountPath: /etc/ceph
    {{- if .Values.ceph.monitorsConfigMap.name }}
    - name: monitors
      mountPath: /etc/monitors
      readOnly: true
    {{- else if .Values.ceph.conf }}
    - name: conf
      mountPath: /etc/ceph-conf
      readOnly: true
    {{- end }}
{{- end -}}
