-- The roles and the database as embedded.py makes them, with passwords from the environment. For psql.
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
CREATE ROLE greenroom_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE greenroom_app LOGIN PASSWORD :'app_password';
CREATE DATABASE greenroom OWNER greenroom_owner;
REVOKE ALL ON DATABASE greenroom FROM PUBLIC;
GRANT CONNECT ON DATABASE greenroom TO greenroom_app;
