using System.Diagnostics;
using Vfio.Lab.Qtest;

if (args is not [var root])
{
    Console.Error.WriteLine("usage: Vfio.Lab.Qtest ROOT   (the root that `lab/run prepare` made)");
    return 2;
}

using var sandbox = new Sandbox(root);
int passed = 0, failed = 0;
foreach (var (name, run) in new Checks(sandbox).All())
{
    var clock = Stopwatch.StartNew();
    try
    {
        await run();
        passed++;
        Console.WriteLine($"ok    {name} ({clock.Elapsed.TotalSeconds:f1} s)");
    }
    catch (Exception e) when (e is CheckFailedException or QmpException or InvalidOperationException or OperationCanceledException or EndOfStreamException)
    {
        failed++;
        Console.WriteLine($"FAIL  {name}: {e.Message}");
    }
}

Console.WriteLine($"{passed} passed, {failed} failed");
return failed == 0 ? 0 : 1;
