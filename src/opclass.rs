//! The SQL of the operator classes.

pgrx::extension_sql_file!(
    "../sql/opclasses.sql",
    name = "operator_classes",
    requires = [handler::learned_handler]
);
