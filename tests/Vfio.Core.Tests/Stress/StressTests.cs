using System.Diagnostics;
using System.Globalization;

namespace Vfio.Core.Tests.Stress;

/// <summary>
/// Everything at once, open and closed, for VFIO_STRESS_SECONDS: the function looks from below at what the locks promise, and a watchdog at
/// whether anybody is stuck.
/// </summary>
[Collection(nameof(StressTests))]
[CollectionDefinition(nameof(StressTests), DisableParallelization = true)]
public sealed class StressTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly Violations _violations = new();
    private volatile bool _goesOn = true;
    private volatile bool _isEnding;

    private static double Seconds
        => double.Parse(Environment.GetEnvironmentVariable("VFIO_STRESS_SECONDS") ?? "3", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Concurrent_use_keeps_what_the_locks_promise(bool intx, bool accessesInHooks)
    {
        var function = new StressFunction(_violations);
        var device = new StressDevice(function, _violations, accessesInHooks);
        var workers = Start(device, function, intx);
        var started = Stopwatch.GetTimestamp();
        var lives = 0;
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < Seconds / 4 && !_violations.Any)
            lives += Live(device, function, workers, lives) ? 1 : 0;
        _goesOn = false;
        foreach (var worker in workers)
        {
            if (!worker.Join(Patience))
                _violations.Add($"stuck: {worker}");
        }

        Assert.False(_violations.Any, $"{_violations}\n{string.Join('\n', workers)}");
        Assert.All(workers, worker => Assert.True(worker.Done > 0, worker.ToString()));
        Assert.True(lives > 0 && function.Resets > lives, $"{lives} lives, {function.Resets} resets");
    }

    /// <summary>Opens, lets the threads work, closes under them.</summary>
    private bool Live(StressDevice device, StressFunction function, List<StressWorker> workers, int number)
    {
        _isEnding = false;
        function.IsOver = false;
        var dma = new DmaSpace();
        var opened = Await(device.OpenAsync(new() { Dma = dma }, CancellationToken.None).AsTask(), "open", workers);
        if (opened is { IsSuccess: true })
        {
            _violations.Check(function.Dma == dma, "the function has not the memory that it was opened with");
            Work(workers, number);
        }
        else
        {
            _violations.Check(opened.Error == Errno.EAGAIN, $"open gave {opened.Error}");
        }

        _isEnding = true;
        Await(Closed(device), "close", workers);
        function.IsOver = true;
        _violations.Check(function.Dma is null, "a closed function has memory");
        return opened.IsSuccess;
    }

    // Long enough for every thread to get a few turns, whatever the machine is at.
    private void Work(List<StressWorker> workers, int number)
    {
        var before = workers.ConvertAll(worker => worker.Done);
        var turns = number % 3 == 0 ? 1 : 20;
        var started = Stopwatch.GetTimestamp();
        bool AllWorked() => _violations.Any || Enumerable.Range(0, workers.Count).All(i => workers[i].Done >= before[i] + turns);
        // INTx sessions are long: one that goes on through the whole life is as good.
        SpinWait.SpinUntil(AllWorked, TimeSpan.FromMilliseconds(300));
        if (Stopwatch.GetElapsedTime(started) > Patience)
            _violations.Add("nobody gets a turn");
    }

    private T Await<T>(Task<T> task, string what, List<StressWorker> workers)
    {
        if (!task.Wait(Patience))
        {
            // The threads that are stuck with it are background threads, and the report says where they are.
            _violations.Add($"stuck: {what}");
            Assert.Fail($"{_violations}\n{string.Join('\n', workers)}");
        }

        return task.Result;
    }

    private static async Task<bool> Closed(StressDevice device)
    {
        await device.CloseAsync(ResetCause.ClientLost);
        return true;
    }

    private List<StressWorker> Start(StressDevice device, StressFunction function, bool intx)
    {
        var actions = new StressActions(device, function, _violations);
        var interrupts = new StressInterrupts(device, function, _violations, () => _isEnding || !_goesOn);
        var workers = new List<StressWorker>();
        void Add(string name, Action<StressWorker> act) => workers.Add(new(name, workers.Count, _violations, () => _goesOn, act));
        Add("memory 1", actions.AccessMemory);
        Add("memory 2", actions.AccessMemory);
        Add("ports", actions.AccessPorts);
        Add("config reader 1", actions.ReadConfig);
        Add("config reader 2", actions.ReadConfig);
        Add("config writer", actions.WriteConfig);
        Add("command writer", actions.WriteCommand);
        Add("power", actions.ChangePower);
        Add("FLR", actions.ResetByConfig);
        Add("reset", actions.Reset);
        Add("sleeper", actions.Sleep);
        Add("ioeventfd", actions.SetIoEventFd);
        Add("asker", actions.Ask);
        if (intx)
        {
            Add("INTx", interrupts.ServeIntx);
        }
        else
        {
            Add("messages 1", interrupts.UseMessages);
            Add("messages 2", interrupts.UseMessages);
            Add("function", _ => function.Lines.FireAll());
        }

        return workers;
    }
}
