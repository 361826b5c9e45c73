using System.Globalization;
using Spectre.Console;
using Vfio.Core;
using Vfio.Tool.Output;

namespace Vfio.Tool.Migration;

/// <summary>Shows how a migration goes, on a terminal; elsewhere nothing.</summary>
internal sealed class ProgressDisplay : IProgress<MigrationProgress>
{
    private readonly Lock _lock = new();
    private MigrationProgress _last;

    public static async Task<T> ShowAsync<T>(Terminal terminal, bool isJson, Func<IProgress<MigrationProgress>?, Task<T>> work)
    {
        if (!terminal.IsAnimated || isJson)
            return await work(null).ConfigureAwait(false);
        var display = new ProgressDisplay();
        return await terminal.Live().Progress()
            .AutoClear(true)
            .Columns(
                new SpinnerColumn(),
                new ProgressBarColumn(),
                new PercentageColumn(),
                new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(async context =>
            {
                var task = context.AddTask(Word(MigrationStage.Preparing), maxValue: 1);
                using var refresh = new Timer(_ => display.Update(task), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
                return await work(display).ConfigureAwait(false);
            }).ConfigureAwait(false);
    }

    public void Report(MigrationProgress value)
    {
        lock (_lock)
            _last = value;
    }

    /// <summary>One line.</summary>
    public static string Describe(in MigrationProgress at)
    {
        var line = $"{Word(at.Stage)}, {Size(at.Bytes)}";
        if (at.BytesPerSecond > 0)
            line += $", {Size((ulong)at.BytesPerSecond)}/s";
        if (at.Rounds > 0)
            line += $", round {at.Rounds}, initial {Size(at.InitialBytes)}, dirty {Size(at.DirtyBytes)}, remaining {Size(Remaining(at))}";
        return line;
    }

    public static string Size(ulong bytes) => bytes switch
    {
        >= 1ul << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1ul << 30):0.00} GiB"),
        >= 1ul << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1ul << 20):0.0} MiB"),
        >= 1ul << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1ul << 10):0.0} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
    };

    private static ulong Remaining(in MigrationProgress at)
    {
        var sum = (UInt128)at.InitialBytes + at.DirtyBytes + at.StopCopyBytes;
        return sum > ulong.MaxValue ? ulong.MaxValue : (ulong)sum;
    }

    private static string Word(MigrationStage stage) => stage switch
    {
        MigrationStage.Preparing => "preparing",
        MigrationStage.Precopy => "PRE_COPY",
        MigrationStage.Quiescing => "P2P",
        MigrationStage.StopCopy => "STOP_COPY",
        MigrationStage.Loading => "loading",
        MigrationStage.HandingOver => "handing over",
        MigrationStage.Completed => "done",
        _ => "back to RUNNING",
    };

    private void Update(ProgressTask task)
    {
        MigrationProgress at;
        lock (_lock)
            at = _last;
        var all = (double)at.Bytes + Remaining(at);
        task.Value = all > 0 ? at.Bytes / all : 0;
        task.Description = Markup.Escape(Describe(at));
    }
}
