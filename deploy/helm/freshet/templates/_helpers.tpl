{{- define "freshet.name" -}}
{{- printf "%s" (ternary .Release.Name (printf "%s-freshet" .Release.Name) (contains "freshet" .Release.Name)) | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "freshet.labels" -}}
app.kubernetes.io/name: freshet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "freshet.selector" -}}
app.kubernetes.io/name: freshet
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "freshet.config" -}}
{{- .Values.existingConfigMap | default (include "freshet.name" .) -}}
{{- end -}}

{{- define "freshet.account" -}}
{{- .Values.serviceAccount.name | default (ternary (include "freshet.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* tls: what the HTTP port of every pod speaks: "" for plain text, server, or mutual when it asks clients for certificates. */ -}}
{{- define "freshet.tls" -}}
{{- if has .Values.tls (list "off" "server" "mutual") -}}
{{- ternary "" .Values.tls (eq .Values.tls "off") -}}
{{- else if .Values.tls -}}
{{- fail (printf "tls is %q; it is off, server or mutual, or empty for what the project says" .Values.tls) -}}
{{- else -}}
{{- $serving := (fromYaml .Values.project).serving | default dict -}}
{{- if hasKey $serving "tls" -}}{{- ternary "mutual" "server" (hasKey ($serving.tls | default dict) "ca") -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* asks: how a probe asks the HTTP port for a path. The kubelet has no certificate to show: with mutual TLS it sees that the port is open. */ -}}
{{- define "freshet.asks" -}}
{{- $tls := include "freshet.tls" .root -}}
{{- if and (eq $tls "mutual") (eq .path "/readyz") .root.Values.readinessCommand -}}
exec: {command: {{ toJson .root.Values.readinessCommand }}}
{{- else if eq $tls "mutual" -}}
tcpSocket: {port: http}
{{- else if eq $tls "server" -}}
httpGet: {path: {{ .path }}, port: http, scheme: HTTPS}
{{- else -}}
httpGet: {path: {{ .path }}, port: http}
{{- end -}}
{{- end -}}

{{- /* pod: the pod of a role. Takes root, role, args, resources, state (a volume claim keeps /var/lib/freshet). */ -}}
{{- define "freshet.pod" -}}
{{- $v := .root.Values -}}
metadata:
  labels:
    {{- include "freshet.selector" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  annotations:
    checksum/project: {{ $v.project | sha256sum }}
    {{- with $v.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "freshet.account" .root }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ add $v.drainSeconds 20 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: freshet
      image: "{{ $v.image.repository }}:{{ $v.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: {{ toJson .args }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      env:
        - {name: FRESHET_HTTP, value: "0.0.0.0:7071"}
        {{- with .resources.limits }}{{ if .memory }}
        - name: MEMORY_LIMIT
          valueFrom: {resourceFieldRef: {containerName: freshet, resource: limits.memory}}
        - {name: GOMEMLIMIT, value: "$(MEMORY_LIMIT)"}
        {{- end }}{{ end }}
        {{- with $v.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $v.secrets.env }}
      envFrom:
        {{- range . }}
        - secretRef: {name: {{ . }}}
        {{- end }}
      {{- end }}
      ports:
        {{- if ne .role "features" }}{{ if ne .role "trainer" }}
        - {name: grpc, containerPort: 7070}
        {{- end }}{{ end }}
        - {name: http, containerPort: 7071}
      startupProbe:
        {{ include "freshet.asks" (dict "root" .root "path" "/healthz") }}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        {{ include "freshet.asks" (dict "root" .root "path" "/healthz") }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        {{ include "freshet.asks" (dict "root" .root "path" "/readyz") }}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      resources: {{ toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: project, mountPath: /etc/freshet, readOnly: true}
        - {name: state, mountPath: /var/lib/freshet}
        {{- if $v.secrets.mounted }}
        - {name: secrets, mountPath: /run/secrets/freshet, readOnly: true}
        {{- end }}
  volumes:
    - name: project
      configMap: {name: {{ include "freshet.config" .root }}}
    {{- if not .state }}
    - name: state
      emptyDir: {sizeLimit: 1Gi}
    {{- end }}
    {{- if $v.secrets.mounted }}
    - name: secrets
      secret: {secretName: {{ $v.secrets.mounted }}, defaultMode: 288}
    {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    {{- if $v.affinity }}{{ toYaml $v.affinity | nindent 4 }}{{ else }}
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "freshet.selector" .root | nindent 16 }}
                app.kubernetes.io/component: {{ .role }}
    {{- end }}
{{- end -}}
