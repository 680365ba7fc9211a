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
- name: CEPHBACKUP_ON_CORRUPT
  value: {{ $v.onCorrupt | quote }}
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
{{ include "cephbackup.selectionEnv" . }}
{{- with $v.selection.minAge }}
- name: CEPHBACKUP_MIN_AGE
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Which claims are meant, for every command that tells how they are. */}}
{{- define "cephbackup.selectionEnv" -}}
{{- $v := .Values -}}
{{- if $v.optIn }}
- name: CEPHBACKUP_OPT_IN
  value: 'true'
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

{{/*
A pod with everything that a backup needs. Takes a dict: root, component, args, serviceAccountName, and optionally
sharded, command (instead of the program).
*/}}
{{- define "cephbackup.backupPod" -}}
{{- $self := . -}}
{{- $sharded := default false .sharded -}}
{{- $scheduled := eq .component "backup" -}}
{{- with .root -}}
{{- $v := .Values -}}
{{- $fullname := include "cephbackup.fullname" . -}}
{{- $needs := include "cephbackup.needs" . | fromYaml -}}
metadata:
  {{- include "cephbackup.podMetadata" (merge (dict "needs" $needs) $self) | nindent 2 }}
spec:
  serviceAccountName: {{ $self.serviceAccountName | quote }}
  {{- include "cephbackup.podSpec" . | nindent 2 }}
  hostNetwork: {{ $needs.hostNetwork }}
  dnsPolicy: {{ ternary "ClusterFirstWithHostNet" "ClusterFirst" $needs.hostNetwork }}
  hostPID: false
  {{- if and $v.topologySpreadConstraints $scheduled }}
  topologySpreadConstraints:
    {{- toYaml $v.topologySpreadConstraints | nindent 4 }}
  {{- else if $sharded }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "cephbackup.selectorLabels" . | nindent 10 }}
          app.kubernetes.io/component: backup
  {{- end }}
  {{- include "cephbackup.context" (dict "name" "podSecurityContext" "values" $v "own" (include "cephbackup.podSecurityContext" $needs)) | nindent 2 }}
  {{- if include "cephbackup.assembled" . }}
  initContainers:
    {{- include "cephbackup.cephContainer" . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ $self.component | quote }}
      image: {{ include "cephbackup.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      {{- with $self.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        {{- toYaml $self.args | nindent 8 }}
      envFrom:
        - secretRef:
            name: {{ include "cephbackup.repositorySecret" . | quote }}
      env:
        # The pods of one Job share the lease.
        - name: CEPHBACKUP_RUN_GROUP
          valueFrom:
            fieldRef:
              fieldPath: metadata.labels['batch.kubernetes.io/job-name']
        {{- if $sharded }}
        - name: CEPHBACKUP_SHARDS
          value: {{ $v.shards | quote }}
        {{- end }}
        {{- include "cephbackup.backupEnv" . | nindent 8 }}
        {{- include "cephbackup.cephEnv" . | nindent 8 }}
        {{- include "cephbackup.env" (dict "root" . "resources" $v.resources "restics" (add $v.concurrency 1) "volumes" $v.concurrency "cacheSize" (ternary $v.cache.persistence.size "" $v.cache.persistence.enabled)) | nindent 8 }}
      {{- include "cephbackup.context" (dict "name" "securityContext" "values" $v "own" (include "cephbackup.securityContext" (dict "needs" $needs "kubeVersion" (include "cephbackup.kubeVersion" .)))) | nindent 6 }}
      resources:
        {{- include "cephbackup.backupResources" . | nindent 8 }}
      volumeMounts:
        {{- include "cephbackup.cephMounts" . | nindent 8 }}
        {{- include "cephbackup.writableMounts" . | nindent 8 }}
        {{- if $needs.devices }}
        - name: dev
          mountPath: /dev
        {{- end }}
        {{- if $needs.modules }}
        - name: modules
          mountPath: /lib/modules
          readOnly: true
        {{- end }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "cephbackup.cephVolumes" . | nindent 4 }}
    - name: cache
      {{- if $v.cache.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ default (printf "%s-cache" $fullname) $v.cache.persistence.existingClaim | quote }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ $v.cache.sizeLimit }}
      {{- end }}
    {{- include "cephbackup.writableVolumes" . | nindent 4 }}
    {{- if $needs.devices }}
    # Devices that appear while the pod runs: mapped images, loop devices.
    - name: dev
      hostPath:
        path: /dev
        type: Directory
    {{- end }}
    {{- if $needs.modules }}
    - name: modules
      hostPath:
        path: /lib/modules
        type: DirectoryOrCreate
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end -}}
