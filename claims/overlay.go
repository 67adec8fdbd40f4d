package claims

// zero reports whether nothing of m is set.
func (m Mapping) zero() bool {
	for _, list := range m.lists() {
		if *list != nil {
			return false
		}
	}
	return m.Name == "" && m.Preset == "" && m.Vars == nil && m.TokenTypes == nil &&
		m.Require == nil && m.Service == nil && m.Agent == nil && m.Kind == "" &&
		m.Overage == nil && !m.AbsentGroupsMeanNone
}

// over returns m with the fields of base where m has none of its own. Guards
// add up instead: an override that means to add one must not drop the others.
func (m Mapping) over(base Mapping) Mapping {
	if m.Groups == nil {
		m.AbsentGroupsMeanNone = m.AbsentGroupsMeanNone || base.AbsentGroupsMeanNone
	}
	if m.Overage == nil && (m.Groups == nil || len(m.Groups) > 0) {
		m.Overage = base.Overage
	}
	own, below := m.lists(), base.lists()
	for i := range own {
		if *own[i] == nil {
			*own[i] = *below[i]
		}
	}
	if m.Name == "" {
		m.Name = base.Name
	}
	if m.TokenTypes == nil {
		m.TokenTypes = base.TokenTypes
	}
	if m.Service == nil {
		m.Service = base.Service
	}
	if m.Kind == "" {
		m.Kind = base.Kind
	}
	m.Require = append(base.Require[:len(base.Require):len(base.Require)], m.Require...)
	m.Agent = append(base.Agent[:len(base.Agent):len(base.Agent)], m.Agent...)
	return m
}

// lists names every field of m that is a list of sources.
func (m *Mapping) lists() []*[]Source {
	return []*[]Source{
		&m.Audience, &m.Subject, &m.Tenant, &m.Client, &m.TokenID, &m.Actor,
		&m.Scopes, &m.Permissions, &m.Roles, &m.Groups,
		&m.Email, &m.EmailVerified, &m.AuthTime, &m.AuthContext, &m.AuthMethods,
		&m.IdentityProvider, &m.ProviderSubject, &m.Assertion, &m.AssertionIssuedAt,
	}
}
