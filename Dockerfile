# An image of infer: the static binary, licenses, and a shell for jobs
# (examples/scale). It serves the model that is in the program, or one of a volume:
#
#   docker build -t normswap .
#   docker run -p 8080:8080 normswap
#   docker run -p 8080:8080 -v ./models:/models:ro normswap serve --host 0.0.0.0 /models/model.gguf
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=(devel)
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w -X main.version=$VERSION" -o /out/infer ./cmd/infer

FROM busybox:stable
COPY --from=build /out/infer /bin/infer
COPY LICENSE internal/licenses/NOTICE /usr/share/doc/normswap/
USER 65534:65534
EXPOSE 8080
HEALTHCHECK CMD wget -q -O /dev/null http://127.0.0.1:8080/health
ENTRYPOINT ["/bin/infer"]
CMD ["serve", "--host", "0.0.0.0"]
