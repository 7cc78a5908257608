# nginx by HTTP and HTTPS; sourced by up.sh.  Paths, all with the files of $LAB/nginx/www:
# /files/ with ranges; /norange/ ignores Range; /nolength/ chunked, no length; /weak/ no validators; /slow/ 1 MiB/s;
# /redirect/X leads to /files/X; /absolute/X likewise to another port, by HTTPS; /down/X from HTTPS to HTTP; /loop/;
# /tofile/; /auth/ wants user:pass; /bearer/ wants a token; /gzip/ compresses; /nohead/ refuses HEAD;
# /deny/ 403; /busy/ 503; /patience/ 429 with Retry-After; /cut/ closes without a word.
need nginx=nginx-light
place=$LAB/nginx
mkdir -p "$place/www"
http=$(free_port)
https=$(free_port)
while [ "$https" = "$http" ]; do https=$(free_port); done
lab_certificate "$place/tls"
head -c 5000000 /dev/urandom >"$place/www/image"
: >"$place/www/empty"
echo "user:$(openssl passwd -apr1 pass)" >"$place/passwords"
cat >"$place/nginx.conf" <<C
$([ "$(id -u)" = 0 ] && echo 'user root;')
worker_processes 1;
daemon off;
pid $place/nginx.pid;
error_log $LAB/log/nginx-error.log;
events { worker_connections 256; }
http {
  access_log $LAB/log/nginx-access.log;
  default_type application/octet-stream;
  client_body_temp_path $place/body; proxy_temp_path $place/proxy; fastcgi_temp_path $place/fastcgi;
  uwsgi_temp_path $place/uwsgi; scgi_temp_path $place/scgi;
  sendfile on;
  server {
    listen 127.0.0.1:$http;
    listen 127.0.0.1:$https ssl;
    server_name localhost;
    ssl_certificate $place/tls/cert.pem;
    ssl_certificate_key $place/tls/key.pem;
    location /files/    { alias $place/www/; }
    location /norange/  { alias $place/www/; max_ranges 0; }
    location /nolength/ { alias $place/www/; max_ranges 0; sub_filter_types *; sub_filter 'no-such-text' ''; }
    location /weak/     { alias $place/www/; etag off; add_header Last-Modified ""; }
    location /slow/     { alias $place/www/; limit_rate 1m; }
    location /redirect/ { rewrite ^/redirect/(.*)\$ /files/\$1 redirect; }
    location ~ ^/absolute/(.*)\$ { return 307 https://localhost:$https/files/\$1; }
    location ~ ^/down/(.*)\$     { return 302 http://127.0.0.1:$http/files/\$1; }
    location /loop/     { return 302 /loop/x; }
    location /tofile/   { return 302 file:///etc/hostname; }
    location /auth/     { alias $place/www/; auth_basic lab; auth_basic_user_file $place/passwords; }
    location /bearer/   { alias $place/www/; if (\$http_authorization != "Bearer secret") { return 401; } }
    location /gzip/     { alias $place/www/; add_header Content-Encoding gzip; }
    location /nohead/   { alias $place/www/; if (\$request_method = HEAD) { return 403; } }
    location /deny/     { return 403; }
    location /busy/     { return 503; }
    location /patience/ { add_header Retry-After 7 always; return 429; }
    location /cut/      { return 444; }
  }
}
C
spawn nginx nginx -e "$LAB/log/nginx-error.log" -p "$place" -c "$place/nginx.conf"
wait_for 10 nginx port_open "$http"
alive nginx || { log "nginx did not start; see $LAB/log"; return 1; }
tell MULTISTORE_LAB_NGINX "http://127.0.0.1:$http"
tell MULTISTORE_LAB_NGINX_TLS "https://localhost:$https"
tell MULTISTORE_LAB_NGINX_CA "$place/tls/cert.pem"
tell MULTISTORE_LAB_NGINX_FILES "$place/www"
