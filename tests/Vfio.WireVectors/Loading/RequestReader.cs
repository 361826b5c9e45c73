using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Loading;

/// <summary>Reads a request and what must come back.</summary>
internal static class RequestReader
{
    /// <summary>The peers whose answers a file may record beside those of record.</summary>
    public static IReadOnlyList<string> Peers { get; } = ["libvfio-user"];

    public static RequestStep Read(Entry entry)
    {
        var name = entry.Get("send");
        var command = !name.IsString ? (ushort)name.Number(ushort.MaxValue)
            : Names.Commands.TryGetValue(name.Text(), out var known) ? known : throw name.Wrong($"{name.Text()} is no command");
        var body = entry.Find("body") is { } payload ? PayloadReader.Request(payload) : Payload.Empty;
        var header = entry.Find("header");
        var spec = new HeaderSpec((uint?)header?.Find("size")?.Number(uint.MaxValue), (uint?)header?.Find("flags")?.Number(uint.MaxValue));
        header?.End();
        var descriptors = entry.Find("fds")?.Items().Select(item => item.Text()).ToList() ?? [];
        var noReply = entry.Find("no-reply")?.Flag() ?? false;
        if (noReply && entry.Has("reply"))
            throw entry.Wrong("has a reply, and says that none comes");
        var reply = noReply ? new(0, null, null, null) : Reply(entry.Get("reply"));
        return new(name.IsString ? name.Text() : $"command {command}", command, spec, body, descriptors, noReply, entry.Find("later")?.Text(), reply,
            Recorded(entry), Dma(entry));
    }

    /// <summary>A request with nothing out of the way.</summary>
    public static RequestStep Plain(string what, ushort command, Payload body, ReplySpec reply, IReadOnlyDictionary<string, ReplySpec> recorded,
        DmaSpec? dma = null, string? later = null)
        => new(what, command, new(null, null), body, [], NoReply: false, later, reply, recorded, dma);

    public static Part Part(string structure, params ReadOnlySpan<(string Field, ulong Value)> fields)
    {
        var values = new Dictionary<string, ulong>();
        foreach (var (field, value) in fields)
            values.Add(field, value);
        return new StructurePart(Structure.Find(structure)!, values);
    }

    /// <summary>What peers answer instead; of a region's read the data alone is given.</summary>
    public static IReadOnlyDictionary<string, ReplySpec> Recorded(Entry entry, Part? isReadOf = null)
    {
        var recorded = new Dictionary<string, ReplySpec>();
        foreach (var peer in Peers)
        {
            if (entry.Find(peer) is not { } other)
                continue;
            if (isReadOf is not null && other.Has("is"))
            {
                recorded.Add(peer, new(0, new([isReadOf, new PayloadPart(PayloadReader.Reply(other.Get("is")))]), null, null));
                other.End();
            }
            else
            {
                recorded.Add(peer, Reply(other));
            }
        }

        return recorded;
    }

    // {"memory": NAME, "at": IOVA, "commands": [["DMA_READ", ADDRESS, COUNT]...]}
    public static DmaSpec? Dma(Entry entry)
    {
        if (entry.Find("dma") is not { } dma)
            return null;
        var commands = dma.Get("commands").Items().Select(Command).ToList();
        var spec = new DmaSpec(dma.Get("memory").Text(), dma.Get("at").Number(), dma.Find("errno")?.Error() ?? 0, commands);
        dma.End();
        return spec;
    }

    private static DmaCommand Command(Entry entry)
    {
        if (entry.Items().ToList() is not [var command, var address, var count] || command.Text() is not ("DMA_READ" or "DMA_WRITE"))
            throw entry.Wrong("is no [\"DMA_READ\" or \"DMA_WRITE\", address, count]");
        return new(command.Text() == "DMA_WRITE", address.Number(), count.Number());
    }

    private static ReplySpec Reply(Entry entry)
    {
        var body = entry.Find("body");
        var spec = new ReplySpec(entry.Find("errno")?.Error() ?? 0, body is null ? null : PayloadReader.Reply(body),
            (int?)entry.Find("fds")?.Number(253), entry.Find("save")?.Text(), entry.Find("closed")?.Flag() ?? false);
        if ((spec.Error != 0 || spec.IsClosed) && (body is not null || spec.Save is not null))
            throw entry.Wrong("an error, and a connection that is closed, have nothing beside them");
        entry.End();
        return spec;
    }
}
