namespace Vfio.Core.Tests.Orchestration;

/// <summary>What the devices of both sides did, in order; counts their operations, and looks after the rule of one running copy.</summary>
internal sealed class FakeWorld
{
    private readonly Lock _gate = new();
    private readonly List<string> _journal = [];
    private readonly List<FakeDevice> _devices = [];

    /// <summary>Asked before each operation; what it returns, the operation fails with.</summary>
    public Func<FakeDevice, string, int, Errno>? OnOperation { get; set; }

    public int Operations { get; private set; }

    public string? Violation { get; private set; }

    public IReadOnlyList<string> Journal
    {
        get
        {
            lock (_gate)
                return [.. _journal];
        }
    }

    public void Add(FakeDevice device) => _devices.Add(device);

    public Errno Begin(FakeDevice device, string operation)
    {
        int number;
        lock (_gate)
            number = ++Operations;
        return OnOperation?.Invoke(device, operation, number) ?? Errno.None;
    }

    public void Moved(FakeDevice device, MigrationState from, MigrationState to)
    {
        lock (_gate)
        {
            _journal.Add($"{device.Name} {from}->{to}");
            if (_devices.Any(d => d.IsSource && d.IsRunning) && _devices.Any(d => d.HasLoaded && d.IsRunning))
                Violation ??= $"two copies run: {device.Name} {from}->{to}";
        }
    }
}
