{{- /* Flags of the webhooks about decisions over HTTP; each only where it is not the default. */}}
{{- define "shieldx.decisionArgs" -}}
{{- $log := .Values.decisionLog -}}
{{- with .Values.decisions.audience }}
- {{ printf "--decision-audience=%s" . | quote }}
{{- end }}
{{- if $log.console }}
- --decision-log-console
{{- end }}
{{- if $log.admission }}
- --decision-log-admission
{{- end }}
{{- if or $log.url $log.console }}
{{- range $log.mask }}
- {{ printf "--decision-log-mask=%s" (ternary . (toJson .) (kindIs "string" .)) | quote }}
{{- end }}
{{- range $name, $value := $log.labels }}
- {{ printf "--decision-log-label=%s=%s" $name $value | quote }}
{{- end }}
{{- end }}
{{- with $log.url }}
- {{ printf "--decision-log-url=%s" . | quote }}
{{- with $log.tokenSecret.key }}
- --decision-log-token-file=/var/run/decision-log/token/{{ . }}
{{- end }}
{{- with $log.caConfigMap.key }}
- --decision-log-ca-file=/var/run/decision-log/ca/{{ . }}
{{- end }}
- --decision-log-buffer-bytes={{ $log.buffer.bytes | int64 }}
- --decision-log-buffer-events={{ $log.buffer.events | int64 }}
- --decision-log-upload-bytes={{ $log.uploadBytes | int64 }}
- --decision-log-interval={{ $log.interval }}
- --decision-log-longest-retry={{ $log.longestRetry }}
{{- end }}
{{- end }}

{{- define "shieldx.decisionMounts" -}}
{{- $log := .Values.decisionLog -}}
{{- if $log.url }}
{{- if $log.tokenSecret.name }}
- {name: decision-log-token, mountPath: /var/run/decision-log/token, readOnly: true}
{{- end }}
{{- if $log.caConfigMap.name }}
- {name: decision-log-ca, mountPath: /var/run/decision-log/ca, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "shieldx.decisionVolumes" -}}
{{- $log := .Values.decisionLog -}}
{{- if $log.url }}
{{- with $log.tokenSecret.name }}
- {name: decision-log-token, secret: {secretName: {{ . }}}}
{{- end }}
{{- with $log.caConfigMap.name }}
- {name: decision-log-ca, configMap: {name: {{ . }}}}
{{- end }}
{{- end }}
{{- end }}
