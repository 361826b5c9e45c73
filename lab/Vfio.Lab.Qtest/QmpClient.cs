using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Vfio.Lab.Qtest;

/// <summary>QEMU's machine protocol: one JSON object a line.</summary>
internal sealed class QmpClient : IDisposable
{
    private readonly StreamReader _reader;
    private readonly Stream _stream;
    private readonly List<JsonNode> _events = [];
    private readonly TimeSpan _patience;

    private QmpClient(Stream stream, TimeSpan patience)
    {
        _stream = stream;
        _reader = new StreamReader(stream, Encoding.UTF8);
        _patience = patience;
    }

    /// <summary>Takes the connection that QEMU makes when it starts, and leaves negotiation mode.</summary>
    /// <param name="listener">The socket that QEMU was told to connect to.</param>
    /// <param name="qemu">QEMU, which may end before it connects.</param>
    /// <param name="patience">How long one answer may take.</param>
    public static async Task<QmpClient> AcceptAsync(Socket listener, Process qemu, TimeSpan patience)
    {
        using var timeout = new CancellationTokenSource(patience);
        var connecting = listener.AcceptAsync(timeout.Token).AsTask();
        if (await Task.WhenAny(connecting, qemu.WaitForExitAsync(timeout.Token)) != connecting)
            throw new InvalidOperationException("QEMU ended before it connected to its monitor");
        var client = new QmpClient(new NetworkStream(await connecting, ownsSocket: true), patience);
        await client._reader.ReadLineAsync(timeout.Token);
        await client.ExecuteAsync("qmp_capabilities");
        return client;
    }

    /// <summary>Executes a command.</summary>
    /// <exception cref="QmpException">QEMU refused it.</exception>
    public async Task<JsonNode?> ExecuteAsync(string command, JsonObject? arguments = null)
    {
        var request = new JsonObject { ["execute"] = command };
        if (arguments is not null)
            request["arguments"] = arguments;
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToJsonString() + "\n"));
        while (true)
        {
            var answer = await NextAsync();
            if (answer["return"] is { } value)
                return value;
            if (answer["error"] is { } error)
                throw new QmpException((string?)error["desc"] ?? error.ToJsonString());
            _events.Add(answer);
        }
    }

    /// <summary>Waits for an event.</summary>
    public async Task EventAsync(string name)
    {
        while (!_events.Any(e => (string?)e["event"] == name))
            _events.Add(await NextAsync());
        _events.RemoveAll(e => (string?)e["event"] == name);
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    private async Task<JsonNode> NextAsync()
    {
        using var timeout = new CancellationTokenSource(_patience);
        var line = await _reader.ReadLineAsync(timeout.Token) ?? throw new EndOfStreamException("QEMU closed its monitor");
        return JsonNode.Parse(line) ?? throw new JsonException(line);
    }
}

/// <summary>QEMU refused a command.</summary>
internal sealed class QmpException(string message) : Exception(message);
