{{/* What the schema cannot say. Everything that is wrong is named at once. */}}
{{- define "cephbackup.validate" -}}
{{- $v := .Values -}}
{{- $needs := include "cephbackup.needs" . | fromYaml -}}
{{- $wrong := list -}}
{{- if and $needs.kernel (not $needs.hostNetwork) -}}
{{- $wrong = append $wrong "hostNetwork: false does not go with the kernel's Ceph clients (mapper krbd or nbd, cephfsClient kernel): what they map or mount hangs until the node reboots once the pod's network is gone; use mapper=fuse and cephfsClient=fuse" -}}
{{- end -}}
{{- if and $needs.kernel $v.fuse.deviceResource -}}
{{- $wrong = append $wrong "fuse.deviceResource is of use only where every client is fuse (mapper=fuse, cephfsClient=fuse, or the kind is off): the pod would be privileged all the same" -}}
{{- end -}}
{{- if gt (int $v.shards) 1 -}}
{{- if not (semverCompare ">=1.29-0" (include "cephbackup.kubeVersion" .)) -}}
{{- $wrong = append $wrong (printf "shards: %v needs Kubernetes 1.29 or newer (backoffLimitPerIndex); this is %s" $v.shards .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and $v.cache.persistence.enabled (not (has "ReadWriteMany" $v.cache.persistence.accessModes)) -}}
{{- $wrong = append $wrong "cache.persistence: several shards cannot share a claim that is not ReadWriteMany; use the cache on the node's disk" -}}
{{- end -}}
{{- end -}}
{{- if and $v.repository.existingSecret $v.repository.variables -}}
{{- $wrong = append $wrong "repository: give existingSecret or variables, not both" -}}
{{- end -}}
{{- $texts := or $v.ceph.conf $v.ceph.keyring -}}
{{- if and $v.ceph.existingSecret $texts -}}
{{- $wrong = append $wrong "ceph: give existingSecret or the texts conf and keyring, not both" -}}
{{- end -}}
{{- if and $v.ceph.keySecret.name (or $v.ceph.existingSecret $v.ceph.keyring) -}}
{{- $wrong = append $wrong "ceph: keySecret replaces existingSecret and keyring; give one" -}}
{{- end -}}
{{- if and $v.ceph.conf (not (or $v.ceph.keyring $v.ceph.keySecret.name)) -}}
{{- $wrong = append $wrong "ceph.conf: give the keyring, too (ceph.keyring or ceph.keySecret)" -}}
{{- end -}}
{{- if and $v.ceph.monitorsConfigMap.name (or $v.ceph.conf (not $v.ceph.keySecret.name)) -}}
{{- $wrong = append $wrong "ceph.monitorsConfigMap: it makes a ceph.conf, beside ceph.keySecret and instead of ceph.conf" -}}
{{- end -}}
{{- if and $v.ceph.usersSecret (not (or $v.ceph.clustersConfigMap $v.ceph.clusters)) -}}
{{- $wrong = append $wrong "ceph.usersSecret: give the list of clusters, too (ceph.clustersConfigMap or ceph.clusters)" -}}
{{- end -}}
{{- if and $v.ceph.clustersConfigMap $v.ceph.clusters -}}
{{- $wrong = append $wrong "ceph: give clustersConfigMap or clusters, not both" -}}
{{- end -}}
{{- if and (not $v.cache.persistence.enabled) $v.cache.persistence.existingClaim -}}
{{- $wrong = append $wrong "cache.persistence.existingClaim: set cache.persistence.enabled, too" -}}
{{- end -}}
{{- range $argument := $v.extraArgs -}}
{{- range $flag := list "--mapper" "--cephfs-client" "--shard" "--lease-namespace" "--annotation-prefix" -}}
{{- if or (eq $argument $flag) (hasPrefix (printf "%s=" $flag) $argument) -}}
{{- $wrong = append $wrong (printf "extraArgs: %s decides what else the chart renders; use the chart's value" $flag) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $section := list "verify" "prune" -}}
{{- if and (index $v $section).enabled (not (has $section (include "cephbackup.commands" $ | fromYamlArray))) -}}
{{- $wrong = append $wrong (printf "%s.enabled: cephbackup %s has no command %s yet" $section $.Chart.AppVersion $section) -}}
{{- end -}}
{{- end -}}
{{- if and $v.prune.enabled (not $v.prune.existingSecret) -}}
{{- $wrong = append $wrong "prune.existingSecret: prune needs credentials of its own, that may delete" -}}
{{- end -}}
{{- if and $v.report.serve.enabled (not $v.report.enabled) -}}
{{- $wrong = append $wrong "report.serve.enabled: set report.enabled, too, which writes the page" -}}
{{- end -}}
{{- if and $v.report.serve.enabled (not $v.report.volume.existingClaim) (not (has "ReadWriteMany" $v.report.volume.accessModes)) -}}
{{- $wrong = append $wrong "report.volume.accessModes: one pod writes the page and another serves it, on any node: use [ReadWriteMany], or name report.volume.existingClaim" -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n- %s" (join "\n- " $wrong)) -}}
{{- end -}}
{{- end -}}

{{/* The commands that this version of the program has, of those that the chart can schedule. */}}
{{- define "cephbackup.commands" -}}
[run, verify, prune]
{{- end -}}
