{{/*
What the drivers that were chosen need of the node, as YAML: `kernel` (a client in the kernel: lives in the node's
network), `fuse`, `devices` (block devices of the node), `modules` (of the node's kernel), `privileged`, `hostNetwork`.
*/}}
{{- define "cephbackup.needs" -}}
{{- $v := .Values -}}
{{- $rbd := or $v.kinds.rbdFilesystem $v.keepBase -}}
{{- $cephfs := $v.kinds.cephfs -}}
{{- $modules := and $rbd (ne $v.mapper "fuse") -}}
{{- $kernel := or $modules (and $cephfs (eq $v.cephfsClient "kernel")) -}}
{{- /* The view of a disk is FUSE with every mapper. */ -}}
{{- $fuse := or $v.keepBase (and $rbd (eq $v.mapper "fuse")) (and $cephfs (eq $v.cephfsClient "fuse")) -}}
{{- $privileged := or $kernel (and $fuse (not $v.fuse.deviceResource)) -}}
kernel: {{ $kernel }}
fuse: {{ $fuse }}
modules: {{ $modules }}
devices: {{ and $rbd $privileged }}
mounts: {{ or $rbd $cephfs }}
privileged: {{ $privileged }}
hostNetwork: {{ if kindIs "bool" $v.hostNetwork }}{{ $v.hostNetwork }}{{ else }}{{ $kernel }}{{ end }}
{{- end -}}

{{- define "cephbackup.podSecurityContext" -}}
{{- if not .mounts -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{ end -}}
{{- if not .privileged -}}
seccompProfile:
  type: RuntimeDefault
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/*
The version of Kubernetes. A Helm that was built without its release's settings takes every cluster that it is not
connected to for 1.20.0, in which there are no CronJobs of batch/v1 at all: there it is not known.
*/}}
{{- define "cephbackup.kubeVersion" -}}
{{- $version := .Capabilities.KubeVersion.Version -}}
{{- ternary "v1.34.0" $version (eq $version "v1.20.0") -}}
{{- end -}}

{{/* Takes a dict: needs, kubeVersion. */}}
{{- define "cephbackup.securityContext" -}}
readOnlyRootFilesystem: true
{{- if .needs.privileged }}
privileged: true
{{- else }}
{{- if not .needs.mounts }}
allowPrivilegeEscalation: false
{{- end }}
capabilities:
  drop: [ALL]
{{- if .needs.mounts }}
  # To mount, and to read files whatever their owner and mode.
  add: [SYS_ADMIN, DAC_READ_SEARCH]
{{- if semverCompare ">=1.30-0" .kubeVersion }}
# The profile of most container runtimes forbids to mount.
appArmorProfile:
  type: Unconfined
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The size of a volume as the program takes it, in MiB. Takes a quantity. */}}
{{- define "cephbackup.volumeSize" -}}
{{- $quantity := . -}}
{{- if not (kindIs "string" $quantity) -}}{{- $quantity = $quantity | int64 | toString -}}{{- end -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- $bytes := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- printf "%dMiB" (max 1 (divf (mulf (trimSuffix $unit $quantity | float64) (get $bytes $unit)) 1048576.0 | floor | int64)) -}}
{{- end -}}

{{/*
GOMEMLIMIT of each of `restics` below one memory limit, in MiB; empty where there is no limit. What runs beside them needs
room, too: the program itself (128 MiB), and what maps, mounts or reads each of `volumes` (96 MiB). Of each restic 32 MiB
are no memory of Go's: its own code. Takes a dict: resources, restics, volumes.
*/}}
{{- define "cephbackup.goMemoryLimit" -}}
{{- $limits := default dict .resources.limits -}}
{{- if $limits.memory -}}
{{- $quantity := $limits.memory -}}
{{- if not (kindIs "string" $quantity) -}}{{- $quantity = $quantity | int64 | toString -}}{{- end -}}
{{- $unit := regexFind "[A-Za-z]*$" $quantity -}}
{{- $bytes := dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- if not (hasKey $bytes $unit) -}}{{- fail (printf "resources.limits.memory: %q is not understood; use a number with Mi or Gi" $quantity) -}}{{- end -}}
{{- $all := divf (mulf (trimSuffix $unit $quantity | float64) (get $bytes $unit)) 1048576.0 -}}
{{- $beside := addf 128.0 (mulf 96.0 (.volumes | float64)) -}}
{{- $mebibytes := subf (divf (subf $all $beside) (.restics | float64)) 32.0 | floor | int64 -}}
{{- $least := addf $beside (mulf 96.0 (.restics | float64)) | int64 -}}
{{- if lt $mebibytes 64 -}}{{- fail (printf "resources.limits.memory: %s is too little for %v restics at a time: set at least %dMi, or a lower concurrency (128 MiB are the program's, 96 MiB what each of %v volumes needs beside restic, 96 MiB each restic's)" $quantity .restics $least .volumes) -}}{{- end -}}
{{- printf "%dMiB" $mebibytes -}}
{{- end -}}
{{- end -}}


{{/* What Pod Security's standards, or a namespace's labels, have against the pods; nothing where they have nothing. */}}
{{- define "cephbackup.admission" -}}
{{- $needs := include "cephbackup.needs" . | fromYaml -}}
{{- if or $needs.privileged $needs.mounts $needs.hostNetwork -}}
{{- $ns := .Release.Namespace -}}
{{- $namespace := lookup "v1" "Namespace" "" $ns -}}
{{- $labels := default dict (default dict $namespace.metadata).labels -}}
{{- $level := get $labels "pod-security.kubernetes.io/enforce" -}}
{{- if and $namespace (ne $level "privileged") }}

{{ if $level }}WARNING: the namespace {{ $ns }} admits pods of the standard "{{ $level }}" only, so that no Job gets a pod{{ else }}The namespace {{ $ns }} says nothing of Pod Security: where the cluster's default is "baseline" or "restricted", no Job gets a pod{{ end }}. Mounts, devices
and the node's network need:

  kubectl label namespace {{ $ns }} --overwrite pod-security.kubernetes.io/enforce=privileged
{{- end }}
{{- end }}
{{- if and (.Capabilities.APIVersions.Has "security.openshift.io/v1") (not .Values.openshift.scc) }}

WARNING: this is OpenShift, whose constraints refuse these pods: set openshift.scc=true.
{{- end }}
{{- end -}}
