using Vfio.WireVectors.Model;

namespace Vfio.WireVectors.Loading;

/// <summary>Reads a step: README.md, "Steps". The short forms become requests.</summary>
internal static class StepReader
{
    private const uint ConfigRegion = 7, DoorbellRegion = 0;
    private const int RegionAccessLength = 16;

    private static readonly (string Key, Func<Entry, IEnumerable<Step>> Read)[] Forms =
    [
        ("send", entry => [RequestReader.Read(entry)]),
        ("read", ReadRegion),
        ("write", WriteRegion),
        ("state", ChangeState),
        ("doorbell", RingDoorbell),
        ("counter", entry => [new CounterStep($"counter of {entry.Get("counter").Text()}", entry.Get("counter").Text(), entry.Get("is").Number())]),
        ("signal", entry => [new SignalStep($"signal {entry.Get("signal").Text()}", entry.Get("signal").Text(), entry.Get("by").Number())]),
        ("memory", Memory),
        ("same", Same),
        ("closed", entry => entry.Get("closed").Flag() ? [new ClosedStep("the connection")] : throw entry.Wrong("can only be true")),
        ("reply-of", entry => [new ReplyStep($"reply of {entry.Get("reply-of").Text()}", entry.Get("reply-of").Text())]),
        ("quiet", entry => [new QuietStep("silence", (int)entry.Get("quiet").Number(1000))]),
    ];

    public static IReadOnlyList<Step> Read(Entry entry)
    {
        var keys = Forms.Where(form => entry.Has(form.Key)).ToList();
        if (keys is not [var form])
            throw entry.Wrong($"a step is one of {string.Join(", ", Forms.Select(f => f.Key))}");
        var steps = form.Read(entry).ToList();
        _ = entry.Find("note")?.Text();
        entry.End();
        return steps;
    }

    // {"read": REGION, "at": OFFSET, "is": PAYLOAD} or with "count" and an errno.
    private static IEnumerable<Step> ReadRegion(Entry entry)
    {
        var (region, at) = ((uint)entry.Get("read").Number(uint.MaxValue), entry.Get("at").Number());
        var expected = entry.Find("is") is { } data ? PayloadReader.Reply(data) : null;
        var count = entry.Find("count")?.Number(uint.MaxValue) ?? (ulong)(expected ?? throw entry.Wrong("has neither \"is\" nor \"count\"")).Build().Length;
        var access = Access(region, at, (uint)count);
        var reply = new ReplySpec(entry.Find("errno")?.Error() ?? 0, expected is null ? null : new([access, new PayloadPart(expected)]), null, null);
        return [RequestReader.Plain($"read {count} of region {region} at 0x{at:x}", 9, new([access]), reply, RequestReader.Recorded(entry, isReadOf: access))];
    }

    private static IEnumerable<Step> WriteRegion(Entry entry)
    {
        var (region, at) = ((uint)entry.Get("write").Number(uint.MaxValue), entry.Get("at").Number());
        var data = PayloadReader.Request(entry.Get("bytes"));
        var count = entry.Find("count")?.Number(uint.MaxValue) ?? (ulong)data.Build().Length;
        var access = Access(region, at, (uint)count);
        var error = entry.Find("errno")?.Error() ?? 0;
        var reply = new ReplySpec(error, error == 0 ? new([access]) : null, null, null);
        return [RequestReader.Plain($"write {count} to region {region} at 0x{at:x}", 10, new([access, new PayloadPart(data)]), reply,
            RequestReader.Recorded(entry))];
    }

    // {"state": NAME}: DEVICE_FEATURE SET MIG_DEVICE_STATE.
    private static IEnumerable<Step> ChangeState(Entry entry)
    {
        var name = entry.Get("state");
        var state = !name.IsString ? (uint)name.Number(uint.MaxValue)
            : Names.States.TryGetValue(name.Text(), out var known) ? known : throw name.Wrong($"{name.Text()} is no state");
        var feature = RequestReader.Part("feature", ("argsz", 16ul), ("flags", Names.Values["SET"] | Names.Values["MIG_DEVICE_STATE"]));
        var body = new Payload([feature, RequestReader.Part("mig_state", ("device_state", state))]);
        var reply = new ReplySpec(entry.Find("errno")?.Error() ?? 0, null, null, null);
        return [RequestReader.Plain($"state {(name.IsString ? name.Text() : state)}", 16, body, reply, RequestReader.Recorded(entry),
            later: entry.Find("later")?.Text())];
    }

    // A write of the whole window, then a read of the result.
    private static IEnumerable<Step> RingDoorbell(Entry entry)
    {
        var name = entry.Get("doorbell");
        if (!Names.DoorbellCommands.TryGetValue(name.Text(), out var command))
            throw name.Wrong($"{name.Text()} is no command of the doorbell");
        var window = RequestReader.Part("doorbell", ("command", command), ("iova", entry.Find("iova")?.Number() ?? 0),
            ("length", entry.Find("length")?.Number() ?? 0), ("argument", entry.Find("argument")?.Number(uint.MaxValue) ?? 0),
            ("slot", entry.Find("slot")?.Number(3) ?? 0));
        var written = Access(DoorbellRegion, 0, 32);
        yield return RequestReader.Plain($"doorbell {name.Text()}", 10, new([written, window]), new(0, new([written]), null, null),
            new Dictionary<string, ReplySpec>(), RequestReader.Dma(entry));
        var result = Access(DoorbellRegion, 4, 4);
        var expected = new ReplySpec(0, Result(result, entry.Find("result")?.Error() ?? 0), null, null);
        var recorded = entry.Find("libvfio-user") is { } other
            ? new Dictionary<string, ReplySpec> { ["libvfio-user"] = new(0, Result(result, other.Error()), null, null) } : [];
        yield return RequestReader.Plain($"result of doorbell {name.Text()}", 9, new([result]), expected, recorded);
    }

    private static Payload Result(Part access, int error) => new([access, RequestReader.Part("u32", ("value", (ulong)error))]);

    private static IEnumerable<Step> Memory(Entry entry)
    {
        var (name, at) = (entry.Get("memory").Text(), entry.Find("at")?.Number() ?? 0);
        return [new MemoryStep($"memory {name}", name, at, PayloadReader.Reply(entry.Get("is")))];
    }

    private static IEnumerable<Step> Same(Entry entry)
    {
        var names = entry.Get("same").Items().Select(item => item.Text()).ToList();
        if (names is not [var first, var second])
            throw entry.Wrong("compares two descriptors");
        return [new SameFileStep($"{first} and {second}", first, second, entry.Get("is").Flag())];
    }

    private static Part Access(uint region, ulong at, uint count)
        => RequestReader.Part("region_access", ("offset", at), ("region", region), ("count", count));
}
