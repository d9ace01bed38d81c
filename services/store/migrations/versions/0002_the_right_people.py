"""Teams, on-call services, rules, roles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


# fmt: off
def upgrade() -> None:
    """Forward."""
    op.create_table('incident_roles',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('name_folded', sa.String(length=180), nullable=False),
    sa.Column('description', sa.String(length=500), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_incident_roles_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_incident_roles')),
    sa.UniqueConstraint('organization_id', 'name_folded', name=op.f('uq_incident_roles_organization_id_name_folded'))
    )
    op.create_table('oncall_services',
    sa.Column('provider', sa.String(length=20), nullable=False),
    sa.Column('definition', JSON, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('name_folded', sa.String(length=600), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_oncall_services_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oncall_services')),
    sa.UniqueConstraint('organization_id', 'name_folded', name=op.f('uq_oncall_services_organization_id_name_folded'))
    )
    with op.batch_alter_table('oncall_services', schema=None) as batch_op:
        batch_op.create_index('ix_oncall_services_organization_id_name_id', ['organization_id', 'name', 'id'], unique=False)

    op.create_table('past_terms',
    sa.Column('term_id', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('owner_id', sa.String(length=36), nullable=False),
    sa.Column('phrase', sa.String(length=400), nullable=False),
    sa.Column('normalised', sa.String(length=800), nullable=False),
    sa.Column('self_set', sa.Boolean(), nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_past_terms_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('term_id', 'version', name=op.f('pk_past_terms'))
    )
    with op.batch_alter_table('past_terms', schema=None) as batch_op:
        batch_op.create_index('ix_past_terms_owner_id', ['owner_id'], unique=False)

    op.create_table('role_policies',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('definition', JSON, nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_role_policies_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role_policies'))
    )
    with op.batch_alter_table('role_policies', schema=None) as batch_op:
        batch_op.create_index('ix_role_policies_organization_id_ended_at_rank', ['organization_id', 'ended_at', 'rank'], unique=False)

    op.create_table('rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('definition', JSON, nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('matches', sa.Integer(), nullable=False),
    sa.Column('not_relevant', sa.Integer(), nullable=False),
    sa.Column('last_match_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_rules_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rules'))
    )
    with op.batch_alter_table('rules', schema=None) as batch_op:
        batch_op.create_index('ix_rules_organization_id_name_id', ['organization_id', 'name', 'id'], unique=False, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))

    op.create_table('addresses',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('individual_id', sa.String(length=36), nullable=False),
    sa.Column('email', sa.String(length=320), nullable=False),
    sa.Column('email_folded', sa.String(length=960), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['individual_id'], ['individuals.id'], name=op.f('fk_addresses_individual_id_individuals'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_addresses_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_addresses')),
    sa.UniqueConstraint('organization_id', 'email_folded', name=op.f('uq_addresses_organization_id_email_folded'))
    )
    with op.batch_alter_table('addresses', schema=None) as batch_op:
        batch_op.create_index('ix_addresses_organization_id_individual_id', ['organization_id', 'individual_id'], unique=False)

    op.create_table('oncall_overrides',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('service_id', sa.String(length=36), nullable=False),
    sa.Column('individual_id', sa.String(length=36), nullable=False),
    sa.Column('from_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['individual_id'], ['individuals.id'], name=op.f('fk_oncall_overrides_individual_id_individuals'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_oncall_overrides_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['service_id'], ['oncall_services.id'], name=op.f('fk_oncall_overrides_service_id_oncall_services'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oncall_overrides'))
    )
    with op.batch_alter_table('oncall_overrides', schema=None) as batch_op:
        batch_op.create_index('ix_oncall_overrides_service_id_until_at', ['service_id', 'until_at'], unique=False)

    op.create_table('role_policy_versions',
    sa.Column('policy_id', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('definition', JSON, nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('by_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['individuals.id'], name=op.f('fk_role_policy_versions_by_id_individuals')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_role_policy_versions_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['policy_id'], ['role_policies.id'], name=op.f('fk_role_policy_versions_policy_id_role_policies'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('policy_id', 'version', name=op.f('pk_role_policy_versions'))
    )
    op.create_table('rule_anchors',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('anchor', sa.String(length=440), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_rule_anchors_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_rule_anchors_rule_id_rules'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rule_id', 'anchor', name=op.f('pk_rule_anchors'))
    )
    with op.batch_alter_table('rule_anchors', schema=None) as batch_op:
        batch_op.create_index('ix_rule_anchors_organization_id_anchor_rule_id', ['organization_id', 'anchor', 'rule_id'], unique=False)

    op.create_table('rule_versions',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('definition', JSON, nullable=False),
    sa.Column('valid_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('valid_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('by_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['by_id'], ['individuals.id'], name=op.f('fk_rule_versions_by_id_individuals')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_rule_versions_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_rule_versions_rule_id_rules'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rule_id', 'version', name=op.f('pk_rule_versions'))
    )
    with op.batch_alter_table('rule_versions', schema=None) as batch_op:
        batch_op.create_index('ix_rule_versions_organization_id_valid_until', ['organization_id', 'valid_until'], unique=False)

    op.create_table('teams',
    sa.Column('notify', sa.String(length=20), nullable=False),
    sa.Column('list_id', sa.String(length=36), nullable=True),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('name_folded', sa.String(length=600), nullable=False),
    sa.Column('words', sa.Text(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['list_id'], ['individuals.id'], name=op.f('fk_teams_list_id_individuals')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_teams_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_teams')),
    sa.UniqueConstraint('organization_id', 'name_folded', name=op.f('uq_teams_organization_id_name_folded'))
    )
    with op.batch_alter_table('teams', schema=None) as batch_op:
        batch_op.create_index('ix_teams_organization_id_name_id', ['organization_id', 'name', 'id'], unique=False)

    op.create_table('team_members',
    sa.Column('team_id', sa.String(length=36), nullable=False),
    sa.Column('individual_id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['individual_id'], ['individuals.id'], name=op.f('fk_team_members_individual_id_individuals'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_team_members_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['team_id'], ['teams.id'], name=op.f('fk_team_members_team_id_teams'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('team_id', 'individual_id', name=op.f('pk_team_members'))
    )
    with op.batch_alter_table('team_members', schema=None) as batch_op:
        batch_op.create_index('ix_team_members_individual_id', ['individual_id'], unique=False)

    op.create_table('role_decisions',
    sa.Column('incident_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decision', JSON, nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_role_decisions_incident_id_incidents'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_role_decisions_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('incident_id', 'at', name=op.f('pk_role_decisions'))
    )
    op.create_table('rule_matches',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('incident_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_relevant', sa.Boolean(), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_rule_matches_incident_id_incidents'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_rule_matches_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['rule_id'], ['rules.id'], name=op.f('fk_rule_matches_rule_id_rules'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rule_id', 'incident_id', name=op.f('pk_rule_matches'))
    )
    with op.batch_alter_table('rule_matches', schema=None) as batch_op:
        batch_op.create_index('ix_rule_matches_incident_id', ['incident_id'], unique=False)

    op.create_table('subscriptions',
    sa.Column('incident_id', sa.String(length=36), nullable=False),
    sa.Column('individual_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_subscriptions_incident_id_incidents'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['individual_id'], ['individuals.id'], name=op.f('fk_subscriptions_individual_id_individuals'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_subscriptions_organization_id_organizations'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('incident_id', 'individual_id', name=op.f('pk_subscriptions'))
    )
    with op.batch_alter_table('subscriptions', schema=None) as batch_op:
        batch_op.create_index('ix_subscriptions_individual_id', ['individual_id'], unique=False)

    op.create_table('term_matches',
    sa.Column('term_id', sa.String(length=36), nullable=False),
    sa.Column('incident_id', sa.String(length=36), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('not_relevant', sa.Boolean(), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['incident_id'], ['incidents.id'], name=op.f('fk_term_matches_incident_id_incidents'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_term_matches_organization_id_organizations'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['term_id'], ['terms.id'], name=op.f('fk_term_matches_term_id_terms'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('term_id', 'incident_id', name=op.f('pk_term_matches'))
    )
    with op.batch_alter_table('term_matches', schema=None) as batch_op:
        batch_op.create_index('ix_term_matches_incident_id', ['incident_id'], unique=False)

    with op.batch_alter_table('evaluations', schema=None) as batch_op:
        batch_op.drop_constraint('pk_evaluations', type_='primary')
        batch_op.create_primary_key('pk_evaluations', ['incident_id', 'at'])
        batch_op.add_column(sa.Column('complete', sa.Boolean(), server_default='1', nullable=False))
        batch_op.add_column(sa.Column('decision', JSON, server_default='{}', nullable=False))

    with op.batch_alter_table('incidents', schema=None) as batch_op:
        batch_op.create_index('ix_incidents_organization_id_id', ['organization_id', 'id'], unique=False)

    with op.batch_alter_table('individuals', schema=None) as batch_op:
        batch_op.create_index('ix_individuals_organization_id_id', ['organization_id', 'id'], unique=False)

    with op.batch_alter_table('organizations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('storm_limit', sa.Integer(), server_default='50', nullable=False))

    with op.batch_alter_table('terms', schema=None) as batch_op:
        batch_op.add_column(sa.Column('team_id', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('service_id', sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column('matches', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('not_relevant', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('last_match_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column('individual_id',
               existing_type=sa.VARCHAR(length=36),
               nullable=True)
        batch_op.drop_constraint(batch_op.f('uq_terms_individual_id_normalised'), type_='unique')
        batch_op.create_unique_constraint(batch_op.f('uq_terms_organization_id_individual_id_normalised'), ['organization_id', 'individual_id', 'normalised'])
        batch_op.create_index('uq_terms_service_id', ['organization_id', 'service_id', 'normalised'], unique=True, sqlite_where=sa.text('service_id IS NOT NULL'), postgresql_where=sa.text('service_id IS NOT NULL'))
        batch_op.create_index('uq_terms_team_id', ['organization_id', 'team_id', 'normalised'], unique=True, sqlite_where=sa.text('team_id IS NOT NULL'), postgresql_where=sa.text('team_id IS NOT NULL'))
        batch_op.create_foreign_key(batch_op.f('fk_terms_service_id_oncall_services'), 'oncall_services', ['service_id'], ['id'], ondelete='CASCADE')
        batch_op.create_foreign_key(batch_op.f('fk_terms_team_id_teams'), 'teams', ['team_id'], ['id'], ondelete='CASCADE')
        batch_op.create_check_constraint(
            op.f('ck_terms_one_owner'),
            "CASE WHEN individual_id IS NULL THEN 0 ELSE 1 END + CASE WHEN team_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN service_id IS NULL THEN 0 ELSE 1 END = 1",
        )
