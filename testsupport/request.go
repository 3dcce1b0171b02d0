package testsupport

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"

	"github.com/beamyard/beamyard/orchestrator"
)

// This file is pure: it translates testcontainers' options into a spec.

// carried is a node's container request in terms of a spec. Only package orchestrator creates
// containers of a cluster, so each part of a request is either translated, or refused by name.
type carried struct {
	image               string
	entrypoint, command []string
	user                string
	env                 map[string]string
	labels              map[string]string
	ports               []orchestrator.PortSpec
	networks            map[string][]string
	volumes             map[string]string
	files               []testcontainers.ContainerFile
	memory              int64
	cpus                float64
	after               after
}

// after holds the steps that remain once a node is Ready.
type after struct {
	strategy  waitStrategy
	hooks     []testcontainers.ContainerLifecycleHooks
	consumers []testcontainers.LogConsumer
}

// requested applies options to a request that holds the cluster's own settings: the defaults
// first, the user's last.
func requested(s orchestrator.Spec, opts ...testcontainers.ContainerCustomizer) (testcontainers.GenericContainerRequest, error) {
	req := testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image: s.Image, Entrypoint: s.Entrypoint, Cmd: s.Command, Env: maps.Clone(s.Env), Labels: maps.Clone(s.Labels),
			NetworkAliases: maps.Clone(s.Networks), Networks: slices.Sorted(maps.Keys(s.Networks)),
		},
		Started: true,
	}
	for _, o := range opts {
		if err := o.Customize(&req); err != nil {
			return req, fmt.Errorf("customize: %w", err)
		}
	}
	return req, nil
}

// carry translates a request. The error names everything that cannot be translated.
func carry(req testcontainers.GenericContainerRequest) (carried, error) {
	c := carried{
		image: req.Image, entrypoint: req.Entrypoint, command: req.Cmd, env: req.Env, labels: maps.Clone(req.Labels), files: req.Files,
		networks: map[string][]string{}, volumes: map[string]string{}, after: after{strategy: req.WaitingFor},
	}
	var problems []error
	for _, sub := range req.ImageSubstitutors {
		image, err := sub.Substitute(c.image)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", sub.Description(), err))
			continue
		}
		c.image = image
	}
	for key := range c.labels {
		if strings.HasPrefix(key, "org.testcontainers") {
			problems = append(problems, fmt.Errorf("label %s: these are testcontainers' own", key))
		}
	}
	for _, name := range req.Networks {
		c.networks[name] = req.NetworkAliases[name]
	}
	for _, p := range req.ExposedPorts {
		port, err := exposed(p)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		c.ports = append(c.ports, port)
	}
	for _, m := range req.Mounts {
		if m.Source == nil || m.Source.Type() != testcontainers.MountTypeVolume || m.ReadOnly {
			problems = append(problems, fmt.Errorf("the mount at %s: only named volumes to read and write are carried over", m.Target))
			continue
		}
		c.volumes[m.Source.Source()] = m.Target.Target()
	}
	for _, h := range req.LifecycleHooks {
		late := testcontainers.ContainerLifecycleHooks{PostStarts: h.PostStarts, PostReadies: h.PostReadies}
		c.after.hooks = append(c.after.hooks, late)
		h.PostStarts, h.PostReadies = nil, nil
		for _, name := range filled(reflect.ValueOf(h)) {
			problems = append(problems, fmt.Errorf("the hooks %s: only PostStarts and PostReadies are carried over", name))
		}
	}
	if req.LogConsumerCfg != nil {
		c.after.consumers = req.LogConsumerCfg.Consumers
	}
	problems = append(problems, c.modified(req)...)
	problems = append(problems, left(req)...)
	return c, errors.Join(problems...)
}

// modified translates the changes of the modifiers of the engine's own structs.
func (c *carried) modified(req testcontainers.GenericContainerRequest) []error {
	var problems []error
	if req.HostConfigModifier != nil {
		host := container.HostConfig{PortBindings: network.PortMap{}}
		req.HostConfigModifier(&host)
		c.memory, c.cpus = host.Memory, float64(host.NanoCPUs)/1e9
		host.Memory, host.NanoCPUs = 0, 0
		for _, name := range filled(reflect.ValueOf(host)) {
			problems = append(problems, fmt.Errorf("the field %s of the HostConfig is not carried over to a node", name))
		}
	}
	if req.ConfigModifier != nil {
		config := container.Config{Labels: map[string]string{}, ExposedPorts: network.PortSet{}, Volumes: map[string]struct{}{}}
		req.ConfigModifier(&config)
		c.user = config.User
		for _, kv := range config.Env {
			key, value, _ := strings.Cut(kv, "=")
			c.env = with(c.env, key, value)
		}
		for key, value := range config.Labels {
			c.labels = with(c.labels, key, value)
		}
		if config.Cmd != nil {
			c.command = config.Cmd
		}
		if config.Entrypoint != nil {
			c.entrypoint = config.Entrypoint
		}
		config.User, config.Env, config.Labels, config.Cmd, config.Entrypoint = "", nil, nil, nil, nil
		for _, name := range filled(reflect.ValueOf(config)) {
			problems = append(problems, fmt.Errorf("the field %s of the container's Config is not carried over to a node", name))
		}
	}
	return problems
}

// instead says what to use if a request's field cannot be translated.
var instead = map[string]string{
	"FromDockerfile":           "give the folder with the Dockerfile as the source",
	"Name":                     "a node's container is named after its cluster: use testsupport.WithName and WithNode",
	"Hostname":                 "a node's host name is part of its BEAM name",
	"NetworkMode":              "use testsupport.WithNetwork",
	"EndpointSettingsModifier": "use testsupport.WithNetwork",
	"Resources":                "use the Memory and CPUs of a node in testsupport.WithSpec",
	"Reuse":                    "use testsupport.Shared",
	"Started":                  "a cluster's nodes are started with it; Stop them",
	"ProviderType":             "nodes run on the engine of testcontainers' default provider",
	"Logger":                   "testcontainers' log.SetDefault is for the whole process",
	"LogConsumerCfg.Opts":      "the consumers get all lines until the cluster's end",
}

// left lists the parts of a request that are not translated.
func left(req testcontainers.GenericContainerRequest) []error {
	rest := req.ContainerRequest
	rest.Image, rest.Entrypoint, rest.Cmd, rest.Env, rest.Labels, rest.Files = "", nil, nil, nil, nil, nil
	rest.ImageSubstitutors, rest.Networks, rest.NetworkAliases, rest.ExposedPorts, rest.Mounts = nil, nil, nil, nil, nil
	rest.LifecycleHooks, rest.LogConsumerCfg, rest.WaitingFor = nil, nil, nil
	rest.HostConfigModifier, rest.ConfigModifier = nil, nil
	names := filled(reflect.ValueOf(rest))
	if req.Reuse {
		names = append(names, "Reuse")
	}
	if !req.Started {
		names = append(names, "Started")
	}
	if req.ProviderType != testcontainers.ProviderDefault {
		names = append(names, "ProviderType")
	}
	if req.Logger != nil {
		names = append(names, "Logger")
	}
	if req.LogConsumerCfg != nil && len(req.LogConsumerCfg.Opts) > 0 {
		names = append(names, "LogConsumerCfg.Opts")
	}
	for network := range req.NetworkAliases {
		if !slices.Contains(req.Networks, network) {
			names = append(names, "NetworkAliases["+network+"]")
		}
	}
	var problems []error
	for _, name := range names {
		problem := fmt.Errorf("%s of the container request is not carried over to a node", name)
		if advice := instead[name]; advice != "" {
			problem = fmt.Errorf("%w: %s", problem, advice)
		}
		problems = append(problems, problem)
	}
	return problems
}

// filled names the fields of a struct that are set; empty maps and slices do not count.
func filled(v reflect.Value) []string {
	var names []string
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		switch {
		case f.Anonymous && f.Name == "Resources": // of HostConfig: its fields are reported as the struct's
			names = append(names, filled(value)...)
		case value.IsZero(), (value.Kind() == reflect.Map || value.Kind() == reflect.Slice) && value.Len() == 0:
		default:
			names = append(names, f.Name)
		}
	}
	return names
}

// exposed parses a port as testcontainers writes it: "8080", "8080/tcp", "18080:8080".
func exposed(text string) (orchestrator.PortSpec, error) {
	host, inside, fixed := strings.Cut(text, ":")
	if !fixed {
		host, inside = "", text
	}
	port, err := network.ParsePort(inside)
	if err != nil {
		return orchestrator.PortSpec{}, fmt.Errorf("exposed port %q: %w", text, err)
	}
	if proto := port.Proto(); proto != "" && proto != network.TCP {
		return orchestrator.PortSpec{}, fmt.Errorf("exposed port %q: only TCP ports are published", text)
	}
	spec := orchestrator.PortSpec{Container: int(port.Num())}
	if host != "" {
		if spec.Host, err = strconv.Atoi(host); err != nil {
			return spec, fmt.Errorf("exposed port %q: %s is not a port of the host", text, host)
		}
	}
	return spec, nil
}
