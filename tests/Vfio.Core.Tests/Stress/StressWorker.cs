namespace Vfio.Core.Tests.Stress;

/// <summary>A thread that does one kind of thing over and over, and says what it is at.</summary>
internal sealed class StressWorker
{
    private readonly Thread _thread;
    private readonly Violations _violations;
    private readonly Func<bool> _goesOn;
    private readonly Action<StressWorker> _act;
    private long _done;

    public StressWorker(string name, int seed, Violations violations, Func<bool> goesOn, Action<StressWorker> act)
    {
        Name = name;
        Random = new(seed);
        _violations = violations;
        _goesOn = goesOn;
        _act = act;
        _thread = new(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    public string Name { get; }

    public Random Random { get; }

    /// <summary>What it does now; for whoever finds it stuck.</summary>
    public string At { get; set; } = "starting";

    public long Done => Interlocked.Read(ref _done);

    public bool Join(TimeSpan patience) => _thread.Join(patience);

    public override string ToString() => $"{Name}: {Done} times, now {At}";

    private void Run()
    {
        try
        {
            while (_goesOn() && !_violations.Any)
            {
                _act(this);
                Interlocked.Increment(ref _done);
            }

            At = "over";
        }
        catch (Exception e)
        {
            // Whatever it is, it is a finding, and the test reports it.
            _violations.Add($"{Name}, {At}: {e}");
        }
    }
}
