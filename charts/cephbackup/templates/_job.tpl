{{/* What all CronJobs share. Takes a dict: root, section (of values), component. */}}
{{- define "cephbackup.cronJobSpec" -}}
{{- $v := .root.Values -}}
schedule: {{ .section.schedule | quote }}
{{- with $v.timeZone }}
timeZone: {{ . | quote }}
{{- end }}
suspend: {{ .section.suspend }}
concurrencyPolicy: Forbid
startingDeadlineSeconds: {{ $v.startingDeadlineSeconds | int64 }}
successfulJobsHistoryLimit: {{ $v.successfulJobsHistoryLimit }}
failedJobsHistoryLimit: {{ $v.failedJobsHistoryLimit }}
{{- end -}}

{{- define "cephbackup.jobSpec" -}}
activeDeadlineSeconds: {{ .root.Values.activeDeadlineSeconds | int64 }}
# A pod that the cluster took away is replaced; one that failed by itself is not.
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
{{- end -}}

{{- define "cephbackup.podMetadata" -}}
labels:
  {{- include "cephbackup.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where and as whom pods run. */}}
{{- define "cephbackup.podSpec" -}}
{{- $v := .Values -}}
restartPolicy: Never
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds | int64 }}
{{- with $v.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $v.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment of every pod. Takes a dict: root, resources, restics (at a time). */}}
{{- define "cephbackup.env" -}}
{{- $v := .root.Values -}}
- name: CEPHBACKUP_ANNOTATION_PREFIX
  value: {{ $v.annotationPrefix | quote }}
{{- with $v.clusterName }}
- name: CEPHBACKUP_CLUSTER_NAME
  value: {{ . | quote }}
{{- end }}
- name: CEPHBACKUP_LOG_FORMAT
  value: {{ $v.logFormat | quote }}
- name: CEPHBACKUP_LOG_LEVEL
  value: {{ $v.logLevel | quote }}
- name: RESTIC_CACHE_DIR
  value: /cache
- name: TMPDIR
  value: /tmp
- name: HOME
  value: /tmp
{{- with include "cephbackup.goMemoryLimit" (list .resources .restics) }}
- name: GOMEMLIMIT
  value: {{ . | quote }}
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What every pod may write: the root filesystem is read-only. */}}
{{- define "cephbackup.writableMounts" -}}
- name: cache
  mountPath: /cache
- name: tmp
  mountPath: /tmp
- name: run
  mountPath: /run
{{- end -}}

{{- define "cephbackup.writableVolumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.temporarySizeLimit }}
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- end -}}

{{/*
Pod of a command that needs the API and the repository, and nothing of the node.
Takes a dict: root, section (of values), component, args, serviceAccountName, repositorySecret.
*/}}
{{- define "cephbackup.plainPod" -}}
metadata:
  {{- include "cephbackup.podMetadata" . | nindent 2 }}
spec:
  serviceAccountName: {{ .serviceAccountName }}
  {{- include "cephbackup.podSpec" .root | nindent 2 }}
  {{- $needs := dict "privileged" false "mounts" false }}
  securityContext:
    {{- include "cephbackup.podSecurityContext" $needs | nindent 4 }}
  containers:
    - name: {{ .component }}
      image: {{ include "cephbackup.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      envFrom:
        - secretRef:
            name: {{ .repositorySecret }}
      env:
        {{- include "cephbackup.env" (dict "root" .root "resources" .section.resources "restics" (default 1 .restics)) | nindent 8 }}
      securityContext:
        {{- include "cephbackup.securityContext" (dict "needs" $needs "kubeVersion" .root.Capabilities.KubeVersion.Version) | nindent 8 }}
      resources:
        {{- toYaml .section.resources | nindent 8 }}
      volumeMounts:
        {{- include "cephbackup.writableMounts" .root | nindent 8 }}
        {{- with .root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: cache
      emptyDir:
        sizeLimit: {{ .root.Values.cache.sizeLimit }}
    {{- include "cephbackup.writableVolumes" .root | nindent 4 }}
    {{- with .root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
