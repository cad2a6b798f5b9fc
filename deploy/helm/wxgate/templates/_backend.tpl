{{- define "wxgate.backend" -}}
- name: backend
  image: "{{ .Values.backend.image.repository }}:{{ .Values.backend.image.tag }}"
  imagePullPolicy: {{ .Values.backend.image.pullPolicy }}
  {{- with .Values.backend.command }}
  command: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.backend.args }}
  args: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.backend.env }}
  env: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.backend.envFrom }}
  envFrom: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.backend.startupPath }}
  startupProbe:
    {{- if $.Values.tls }}
    httpGet: {path: {{ . | quote }}, port: {{ $.Values.ports.https }}, scheme: HTTPS}
    {{- else }}
    httpGet: {path: {{ . | quote }}, port: {{ $.Values.ports.http }}}
    {{- end }}
    periodSeconds: 2
    failureThreshold: 30
  {{- end }}
  {{- if include "wxgate.preStopSeconds" . | int }}
  lifecycle:
    preStop: {{- include "wxgate.preStop" . | nindent 6 }}
  {{- end }}
  resources: {{- toYaml .Values.backend.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: {{ .Values.backend.readOnlyRootFilesystem }}
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- with .Values.backend.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
