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

{{/*
A pod that the cluster took away (a drain, an eviction, a node that is gone) is replaced, but not all night; one that
failed by itself is not. Takes a dict: root, indexed.
*/}}
{{- define "cephbackup.jobSpec" -}}
{{- if not .endless }}
activeDeadlineSeconds: {{ .root.Values.activeDeadlineSeconds | int64 }}
{{- end }}
{{- if not (kindIs "invalid" .root.Values.ttlSecondsAfterFinished) }}
ttlSecondsAfterFinished: {{ .root.Values.ttlSecondsAfterFinished | int64 }}
{{- end }}
{{ ternary "backoffLimitPerIndex" "backoffLimit" (default false .indexed) }}: {{ .root.Values.replacements | int }}
podFailurePolicy:
  rules:
    - action: Count
      onPodConditions:
        - type: DisruptionTarget
    - action: {{ ternary "FailIndex" "FailJob" (default false .indexed) }}
      onExitCodes:
        operator: NotIn
        values: [0]
{{- end -}}

{{/* Takes a dict: root, component, needs. */}}
{{- define "cephbackup.podMetadata" -}}
{{- $v := .root.Values -}}
{{- $labels := deepCopy $v.podLabels -}}
{{- $annotations := deepCopy $v.podAnnotations -}}
{{- if not $v.sidecars -}}
{{- $labels = merge $labels (dict "sidecar.istio.io/inject" "false") -}}
{{- $annotations = merge $annotations (dict "linkerd.io/inject" "disabled" "sidecar.istio.io/inject" "false") -}}
{{- end -}}
{{- if and .needs.mounts (not .needs.privileged) (semverCompare "<1.30-0" (include "cephbackup.kubeVersion" .root)) -}}
{{- /* The profile of most container runtimes forbids to mount. */ -}}
{{- $annotations = merge $annotations (dict (printf "container.apparmor.security.beta.kubernetes.io/%s" .component) "unconfined") -}}
{{- end -}}
labels:
  {{- include "cephbackup.labelsOf" (dict "root" .root "component" .component "more" $labels) | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
A security context as the chart makes it, with what a value adds; nothing where the value is null.
Takes a dict: name, own (YAML), values (those that have the name).
*/}}
{{- define "cephbackup.context" -}}
{{- if hasKey .values .name -}}
{{- $context := .own | fromYaml -}}
{{- /* Not `merge`, to which false is nothing. */ -}}
{{- range $key, $value := index .values .name -}}{{- $_ := set $context $key $value -}}{{- end -}}
securityContext:
  {{- toYaml $context | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* How the pods of Jobs run. */}}
{{- define "cephbackup.podSpec" -}}
restartPolicy: Never
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | int64 }}
{{ include "cephbackup.placement" . }}
{{- end -}}

{{/* Where all pods run. */}}
{{- define "cephbackup.placement" -}}
{{- $v := .Values -}}
enableServiceLinks: false
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
{{- with $v.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Environment of every pod. Takes a dict: root, resources, restics (at a time), volumes (that are mapped or mounted at a time, default 0), cacheSize (default: of the cache on the node's disk). */}}
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
{{- with default .root.Values.cache.sizeLimit .cacheSize }}
- name: CEPHBACKUP_CACHE_LIMIT
  value: {{ include "cephbackup.volumeSize" . | quote }}
{{- end }}
- name: TMPDIR
  value: /tmp
- name: HOME
  value: /tmp
{{- with include "cephbackup.goMemoryLimit" (dict "resources" .resources "restics" .restics "volumes" (default 0 .volumes)) }}
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
Takes a dict: root, section (of values), component, args, serviceAccountName, and optionally repositorySecret, and env,
mounts and volumes (YAML).
*/}}
{{- define "cephbackup.plainPod" -}}
{{- $needs := dict "privileged" false "mounts" false -}}
metadata:
  {{- include "cephbackup.podMetadata" (merge (dict "needs" $needs) .) | nindent 2 }}
spec:
  serviceAccountName: {{ .serviceAccountName | quote }}
  {{- include "cephbackup.podSpec" .root | nindent 2 }}
  {{- include "cephbackup.context" (dict "name" "podSecurityContext" "values" .section "own" (include "cephbackup.podSecurityContext" $needs)) | nindent 2 }}
  containers:
    - name: {{ .component | quote }}
      image: {{ include "cephbackup.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      {{- with .repositorySecret }}
      envFrom:
        - secretRef:
            name: {{ . | quote }}
      {{- end }}
      env:
        {{- with .env }}{{ . | nindent 8 }}{{ end }}
        {{- include "cephbackup.env" (dict "root" .root "resources" .section.resources "restics" (default 1 .restics)) | nindent 8 }}
      {{- include "cephbackup.context" (dict "name" "securityContext" "values" .section "own" (include "cephbackup.securityContext" (dict "needs" $needs "kubeVersion" (include "cephbackup.kubeVersion" .root)))) | nindent 6 }}
      resources:
        {{- toYaml .section.resources | nindent 8 }}
      volumeMounts:
        {{- include "cephbackup.writableMounts" .root | nindent 8 }}
        {{- with .mounts }}{{ . | nindent 8 }}{{ end }}
        {{- with .root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: cache
      emptyDir:
        sizeLimit: {{ .root.Values.cache.sizeLimit }}
    {{- include "cephbackup.writableVolumes" .root | nindent 4 }}
    {{- with .volumes }}{{ . | nindent 4 }}{{ end }}
    {{- with .root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}


{{/* Arguments by which scheduled commands tell how they went; Jobs by hand, which may look at less, do not. */}}
{{- define "cephbackup.reporting" -}}
{{- with .Values.metrics.push }}
- {{ printf "--metrics-push=%s" . | quote }}
{{- else }}
[]
{{- end }}
{{- end -}}

{{/* The rules of prune, as its arguments. */}}
{{- define "cephbackup.keepArgs" -}}
{{- $prune := .Values.prune -}}
{{- $args := list -}}
{{- range $unit := list "last" "hourly" "daily" "weekly" "monthly" "yearly" -}}
{{- $count := index $prune.keep $unit | int -}}
{{- if $count -}}
{{- $args = append $args (printf "--keep-%s=%d" $unit $count) -}}
{{- end -}}
{{- end -}}
{{- with $prune.keep.within -}}
{{- $args = append $args (printf "--keep-within=%s" .) -}}
{{- end -}}
{{- with $prune.keepDeleted -}}
{{- $args = append $args (printf "--keep-deleted=%s" .) -}}
{{- end -}}
{{- toYaml $args -}}
{{- end -}}
