using System.Threading.Channels;

namespace Vfio.Hosting.Tests;

/// <summary>How often a device was asked to be released.</summary>
internal sealed class Asked
{
    private readonly Channel<int> _counts = Channel.CreateUnbounded<int>();

    /// <summary>The device throws when it is asked for the so manieth time.</summary>
    public int? BreaksAt { get; init; }

    public int Left => _counts.Reader.Count;

    public void Add(int count) => _counts.Writer.TryWrite(count);

    public Task<int> NextAsync()
        => _counts.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
}

/// <summary>A plain device that notes each request.</summary>
internal sealed class AskedDriver(Asked asked) : VariantDriver
{
    public override string Name => "asked";

    public override IReadOnlyList<PciIdMatch> Ids { get; } = [new() { Vendor = 0x1234, Device = 0x4E56 }];

    public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
        => ValueTask.FromResult(ProbeResult.Bound(new Device(context.Core, asked)));

    private sealed class Device(IVfioPciCore core, Asked asked) : VfioPciDevice(core)
    {
        public override void RequestRelease(int count)
        {
            base.RequestRelease(count);
            asked.Add(count);
            if (count == asked.BreaksAt)
                throw new InvalidOperationException("broken");
        }
    }
}
