package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// manifests decodes every document of a file; unknown fields and kinds are errors.
func manifests(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		return err
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	docs := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	var all []runtime.Object
	var errs []error
	for {
		doc, err := docs.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(doc), []byte("---")))) == 0 {
			continue
		}
		o, _, err := strict.Decode(doc, nil, nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w in\n%s", file, err, doc))
			continue
		}
		all = append(all, o)
	}
	errs = append(errs, check(all)...)
	fmt.Printf("%s: %d objects\n", file, len(all))
	return errors.Join(errs...)
}

// check sees that pods are confined, that selectors find pods, that ports have the names that are asked for, and that
// autoscalers scale what is there.
func check(all []runtime.Object) (errs []error) {
	pods := map[string]core.PodTemplateSpec{}
	for _, o := range all {
		switch o := o.(type) {
		case *apps.Deployment:
			pods[o.Name] = o.Spec.Template
			errs = append(errs, selects(o.Name, o.Spec.Selector, map[string]core.PodTemplateSpec{o.Name: o.Spec.Template})...)
		case *apps.StatefulSet:
			pods[o.Name] = o.Spec.Template
			errs = append(errs, selects(o.Name, o.Spec.Selector, map[string]core.PodTemplateSpec{o.Name: o.Spec.Template})...)
		}
	}
	if len(pods) == 0 {
		errs = append(errs, errors.New("no pods"))
	}
	for name, p := range pods {
		errs = append(errs, confined(name, &p.Spec)...)
	}
	for _, o := range all {
		switch o := o.(type) {
		case *core.Service:
			errs = append(errs, selects("service "+o.Name, &metav1.LabelSelector{MatchLabels: o.Spec.Selector}, pods)...)
			for _, port := range o.Spec.Ports {
				errs = append(errs, named("service "+o.Name, port.TargetPort, o.Spec.Selector, pods)...)
			}
		case *autoscaling.HorizontalPodAutoscaler:
			if _, ok := pods[o.Spec.ScaleTargetRef.Name]; !ok {
				errs = append(errs, fmt.Errorf("autoscaler %s scales %s, which is not there", o.Name, o.Spec.ScaleTargetRef.Name))
			}
		case *monitoring.PodMonitor:
			errs = append(errs, selects("monitor "+o.Name, &o.Spec.Selector, pods)...)
		}
	}
	return errs
}

func selects(who string, s *metav1.LabelSelector, pods map[string]core.PodTemplateSpec) []error {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", who, err)}
	}
	for _, p := range pods {
		if selector.Matches(labels.Set(p.Labels)) {
			return nil
		}
	}
	return []error{fmt.Errorf("%s: no pod has the labels %s", who, selector)}
}

func named(who string, port intstr.IntOrString, selector map[string]string, pods map[string]core.PodTemplateSpec) (errs []error) {
	for name, p := range pods {
		if !labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels)) {
			continue
		}
		found := false
		for _, have := range p.Spec.Containers[0].Ports {
			found = found || have.Name == port.StrVal
		}
		if !found {
			errs = append(errs, fmt.Errorf("%s: the pods of %s have no port %s", who, name, port.StrVal))
		}
	}
	return errs
}

// confined sees that a pod runs as nobody, with a root that it cannot write, no rights to gain, and bounds.
func confined(name string, p *core.PodSpec) (errs []error) {
	bad := func(what string) { errs = append(errs, fmt.Errorf("pod of %s: %s", name, what)) }
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	if p.SecurityContext == nil || !yes(p.SecurityContext.RunAsNonRoot) || p.SecurityContext.SeccompProfile == nil {
		bad("may run as root, or without a seccomp profile")
	}
	if !no(p.AutomountServiceAccountToken) {
		bad("has a token of the cluster's API, which it does not need")
	}
	for _, c := range p.Containers {
		s := c.SecurityContext
		if s == nil || !yes(s.ReadOnlyRootFilesystem) || !no(s.AllowPrivilegeEscalation) || s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			bad("container " + c.Name + " is not confined")
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.StartupProbe == nil {
			bad("container " + c.Name + " lacks a probe")
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
			bad("container " + c.Name + " has no request of CPU or no limit of memory")
		}
	}
	if p.TerminationGracePeriodSeconds == nil || *p.TerminationGracePeriodSeconds < 20 {
		bad("is killed before it can drain")
	}
	return errs
}
