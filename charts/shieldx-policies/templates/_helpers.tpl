{{- define "shieldx-policies.labels" -}}
app.kubernetes.io/name: shieldx-policies
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: shieldx
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* Metadata of a policy; .name without the prefix. */}}
{{- define "shieldx-policies.metadata" -}}
name: {{ .root.Values.namePrefix }}{{ .name }}
labels:
  {{- include "shieldx-policies.labels" .root | nindent 2 }}
  shieldx.io/bundle: {{ .bundle }}
{{- end }}

{{- /* What every policy of a bundle says alike. */}}
{{- define "shieldx-policies.terms" -}}
actions: {admission: {{ .action }}}
{{- with .failurePolicy }}
failurePolicy: {{ . }}
{{- end }}
{{- with .exceptions }}
exceptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "shieldx-policies.podSecurity" -}}
{{- $values := index .root.Values .bundle }}
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata:
  {{- include "shieldx-policies.metadata" . | nindent 2 }}
spec:
  engine: podSecurity
  podSecurity:
    level: {{ .bundle }}
    version: {{ $values.version }}
    {{- $exemptions := dict }}
    {{- range $who, $names := $values.exemptions }}
    {{- if $names }}{{ $_ := set $exemptions $who $names }}{{ end }}
    {{- end }}
    {{- with $exemptions }}
    exemptions:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  {{- with $values.namespaceSelector }}
  matchConstraints:
    namespaceSelector:
      {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- include "shieldx-policies.terms" $values | nindent 2 }}
{{- end }}
